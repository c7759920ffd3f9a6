"""The tagging API: what is kept on shelves here is found by tag like everything else."""

from .gateway import Call
from .registry import handles
from .store import SHELVES, Document, tag_list


@handles("resourcegroupstaggingapi:GetResources")
def get_resources(call: Call) -> Document:
    """Moto's resources and those of this cloud's own."""
    answer, params = call.forward(), call.params
    rows = []
    for shelf in SHELVES:
        for (region, _), doc in shelf.rows.items():
            arn = doc[shelf.arn_key]
            if region == call.region and doc["_tags"] and _wanted(params, arn, doc["_tags"]):
                rows.append({"ResourceARN": arn, "Tags": tag_list(doc)})
    return answer | {"ResourceTagMappingList": (answer.get("ResourceTagMappingList") or []) + rows}


def _wanted(params: Document, arn: str, tags: dict[str, str]) -> bool:
    service = arn.split(":")[2]
    types = params.get("ResourceTypeFilters") or []
    kind = f"{service}:{arn.split(':')[5].split('/')[0]}"
    if types and service not in types and kind not in types:
        return False
    if params.get("ResourceARNList") and arn not in params["ResourceARNList"]:
        return False
    for one in params.get("TagFilters") or []:
        if one["Key"] not in tags or (one.get("Values") and tags[one["Key"]] not in one["Values"]):
            return False
    return True
