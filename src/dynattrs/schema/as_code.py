"""Tables as other tools declare them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

from dynattrs.deferral import deferred
from dynattrs.schema.indexes import AnyIndex, GlobalIndex
from dynattrs.schema.written import WrittenTable

if TYPE_CHECKING:
    from dynattrs.schema import cloudformation, infrastructure, terraform
    from dynattrs.schema.features import Insights, KinesisStream, Replicas
else:
    cloudformation = deferred("dynattrs.schema.cloudformation")
    infrastructure = deferred("dynattrs.schema.infrastructure")
    terraform = deferred("dynattrs.schema.terraform")


class _Declaration(Protocol):
    """What is read of a `Table`."""

    @property
    def name(self) -> str: ...
    @property
    def indexes(self) -> Sequence[AnyIndex]: ...
    @property
    def ttl_attribute(self) -> str | None: ...
    @property
    def point_in_time_recovery(self) -> bool | int | None: ...
    @property
    def contributor_insights(self) -> Insights | None: ...
    @property
    def kinesis(self) -> KinesisStream | Literal[False] | None: ...
    @property
    def replicas(self) -> Replicas | None: ...
    def create_arguments(self, name: str | None = None) -> dict[str, Any]: ...


class TableAsCode(WrittenTable):
    """A declaration that other tools can be given."""

    __slots__ = ()

    def cloudformation(
        self: _Declaration,
        name: str | None = None,
        *,
        logical_id: str | None = None,
        region: str | None = None,
    ) -> dict[str, Any]:
        """A CloudFormation template with this table, to be written as JSON or YAML.

        The table is retained when the stack is deleted. One with replicas is an
        `AWS::DynamoDB::GlobalTable` of all its regions.

        Args:
            name: The table's real name, where it is another one.
            logical_id: The resource's name in the template; `AppTable` for a table `app`.
            region: The table's own region among its replicas; without it that of the stack.
        """
        return cloudformation.template(
            self.create_arguments(name),
            _beside(self),
            logical_id=logical_id or cloudformation.logical_id(self.name),
            region=region,
        )

    def terraform(
        self: _Declaration,
        name: str | None = None,
        *,
        resource: str | None = None,
        region: str | None = None,
    ) -> dict[str, Any]:
        """A Terraform configuration with this table, to be written as `*.tf.json`.

        It says `prevent_destroy`: Terraform refuses plans that would delete the table. The policy,
        contributor insights and a Kinesis stream are resources beside it.

        Args:
            name: The table's real name, where it is another one.
            resource: The resource's name in the configuration; `app` for a table `app`.
            region: The table's own region, where it is named among its replicas.

        Raises:
            ModelError: Terraform cannot say something: a replica's own capacity or class, or a KMS key
                by its id.
        """
        return terraform.terraform(
            self.create_arguments(name),
            _beside(self),
            resource=resource or terraform.resource_name(self.name),
            region=region,
        )


def _beside(table: _Declaration) -> infrastructure.Beside:
    there = table.replicas
    return infrastructure.Beside(
        ttl=table.ttl_attribute,
        recovery=table.point_in_time_recovery,
        insights=table.contributor_insights,
        index_insights={
            each.name: each.contributor_insights
            for each in table.indexes
            if isinstance(each, GlobalIndex) and each.contributor_insights is not None
        },
        kinesis=table.kinesis or None,
        replicas=there if there is not None and there.regions else None,
    )
