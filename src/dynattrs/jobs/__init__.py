"""Jobs: work on all items of tables, on one machine or many, which can be stopped and resumed."""

from dynattrs.jobs.checkpoints import Checkpoints as Checkpoints
from dynattrs.jobs.checkpoints import CheckpointsFailed as CheckpointsFailed
from dynattrs.jobs.session_specs import SessionSpec as SessionSpec
