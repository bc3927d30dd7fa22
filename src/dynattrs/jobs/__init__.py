"""Jobs: work on all items of tables, on one machine or many, which can be stopped and resumed."""

from dynattrs.jobs.checkpoint_folder import in_folder as in_folder
from dynattrs.jobs.checkpoint_table import in_table as in_table
from dynattrs.jobs.checkpoints import Checkpoints as Checkpoints
from dynattrs.jobs.conditional_writes import Overwrite as Overwrite
from dynattrs.jobs.copying import Transform as Transform
from dynattrs.jobs.dask_frames import dask_frame as dask_frame
from dynattrs.jobs.differences import Difference as Difference
from dynattrs.jobs.differences import Verified as Verified
from dynattrs.jobs.errors import CheckpointsFailed as CheckpointsFailed
from dynattrs.jobs.errors import FunctionFailed as FunctionFailed
from dynattrs.jobs.errors import JobFailed as JobFailed
from dynattrs.jobs.errors import JobForgotten as JobForgotten
from dynattrs.jobs.errors import NoSuchJob as NoSuchJob
from dynattrs.jobs.errors import OtherJob as OtherJob
from dynattrs.jobs.errors import WorkersDied as WorkersDied
from dynattrs.jobs.files.errors import FilesError as FilesError
from dynattrs.jobs.files.errors import NoFile as NoFile
from dynattrs.jobs.files.s3_options import S3Options as S3Options
from dynattrs.jobs.job import Job as Job
from dynattrs.jobs.job import list as list  # noqa: A004
from dynattrs.jobs.progress import JobProgress as JobProgress
from dynattrs.jobs.session_specs import SessionSpec as SessionSpec
from dynattrs.jobs.work import Delete as Delete
from dynattrs.jobs.work import Failure as Failure
from dynattrs.jobs.work import FileEntry as FileEntry
from dynattrs.jobs.work import JobRecord as JobRecord
