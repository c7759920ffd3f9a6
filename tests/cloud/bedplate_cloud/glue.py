"""Glue's databases: their tags go with them."""

from moto.glue.models import glue_backends

from . import settings
from .errors import AwsError
from .gateway import Call
from .registry import checks, handles
from .store import Document


@checks("glue:GetTags", "glue:TagResource", "glue:UntagResource")
def tagged_database(call: Call) -> None:
    """What is tagged has to exist."""
    arn = call.params["ResourceArn"]
    if ":database/" in arn and arn.split("/", 1)[1] not in glue_backends[settings.ACCOUNT][call.region].databases:
        raise AwsError("EntityNotFoundException", f"Resource {arn} is not found.")


@handles("glue:DeleteDatabase")
def delete_database(call: Call) -> Document:
    """Delete a database with its tables and tags."""
    answer = call.forward()
    arn = f"arn:aws:glue:{call.region}:{settings.ACCOUNT}:database/{call.params['Name']}"
    glue_backends[settings.ACCOUNT][call.region].tagger.delete_all_tags_for_resource(arn)
    return answer
