"""CloudWatch dashboards: their tags, which moto does not know."""

from typing import Any

from moto.cloudwatch.models import CloudWatchBackend, cloudwatch_backends

from . import settings
from .gateway import Call
from .registry import handles

_tag_others = CloudWatchBackend.tag_resource


def _tag(backend: CloudWatchBackend, arn: str, tags: dict[str, str]) -> None:
    if arn not in {one.arn for one in backend.dashboards.values()}:
        return _tag_others(backend, arn, tags)
    return backend.tagger.tag_resource(arn, backend.tagger.convert_dict_to_tags_input(tags))


CloudWatchBackend.tag_resource = _tag


@handles("cloudwatch:PutDashboard")
def put(call: Call) -> dict[str, Any]:
    """Make or change a dashboard. Its tags are taken when it is made and ignored later."""
    backend, name = cloudwatch_backends[settings.ACCOUNT][call.region], call.params["DashboardName"]
    is_new = name not in backend.dashboards
    answer = call.forward(Tags=None)
    if is_new and call.params.get("Tags"):
        backend.tagger.tag_resource(backend.dashboards[name].arn, call.params["Tags"])
    return answer


@handles("cloudwatch:DeleteDashboards")
def delete(call: Call) -> dict[str, Any]:
    """Delete dashboards and their tags."""
    backend = cloudwatch_backends[settings.ACCOUNT][call.region]
    arns = [one.arn for name, one in backend.dashboards.items() if name in call.params["DashboardNames"]]
    answer = call.forward()
    for arn in arns:
        backend.tagger.delete_all_tags_for_resource(arn)
    return answer
