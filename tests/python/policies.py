"""Lints AWS policies with cfn-lint, AWS's own linter, which knows the actions and conditions that there are.

A list on standard input: [{"address": ..., "place": "iam.role.trust", "document": {...}}, ...]; on standard output what
is wrong, again as a list: [{"address": ..., "rule": "W3037", "message": ..., "path": [...]}, ...]. cfn-lint reads
templates, so each policy stands in one where CloudFormation has its like.
"""

import json
import sys

from cfnlint.api import ManualArgs, lint

# Where a policy stands in a template: the type of the resource, and its properties around the document. What it belongs
# to has one policy, so that each has a name of its own there.
PLACES = {
    "iam.role.trust": ("AWS::IAM::Role", lambda policy, _: {"AssumeRolePolicyDocument": policy}),
    "iam.role.inline_policies": ("AWS::IAM::ManagedPolicy", lambda policy, _: {"PolicyDocument": policy}),
    "kms.key.policy": ("AWS::KMS::Key", lambda policy, _: {"KeyPolicy": policy}),
    "s3.bucket.policy": ("AWS::S3::BucketPolicy", lambda policy, name: {"Bucket": name, "PolicyDocument": policy}),
    "sns.topic.policy": ("AWS::SNS::TopicPolicy", lambda policy, name: {"Topics": [name], "PolicyDocument": policy}),
    "ec2.vpc_endpoint.policy": (
        "AWS::EC2::VPCEndpoint",
        lambda policy, _: {"VpcId": "vpc-12345678", "ServiceName": "s", "PolicyDocument": policy},
    ),
    # Its grammar is that of an identity's policy (IAM user guide, "Grammar of the IAM JSON policy language").
    "organizations.policy.content": ("AWS::IAM::ManagedPolicy", lambda policy, _: {"PolicyDocument": policy}),
}
# What is about templates and not about policies: I3011 asks for a DeletionPolicy.
BESIDE = {"I3011"}


def main():
    policies = json.load(sys.stdin)
    resources = {}
    for number, policy in enumerate(policies):
        kind, properties = PLACES[policy["place"]]
        resources[f"P{number}"] = {"Type": kind, "Properties": properties(policy["document"], f"p-{number}")}
    template = json.dumps({"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources})
    found = []
    for match in lint(template, config=ManualArgs(regions=["us-east-1"], include_checks=["I"])):
        if match.rule.id in BESIDE:
            continue
        path = [str(part) for part in match.path or []]
        address = policies[int(path[1][1:])]["address"] if len(path) > 1 else None
        found.append({"address": address, "rule": match.rule.id, "message": match.message, "path": path[3:]})
    json.dump(found, sys.stdout)


main()
