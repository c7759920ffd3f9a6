"""Checks TOML files against a JSON schema with the library jsonschema, as an editor does.

    python schema.py SCHEMA FILE...

One line of JSON on standard output: what is wrong with each file, as a list of paths and messages.
"""

import json
import sys
import tomllib

from jsonschema import Draft202012Validator


def main(schema_path, *files):
    with open(schema_path) as text:
        schema = json.load(text)
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    found = []
    for path in files:
        with open(path, "rb") as text:
            document = tomllib.load(text)
        errors = validator.iter_errors(document)
        found.append([{"path": error.json_path, "message": error.message} for error in errors])
    print(json.dumps(found))


main(*sys.argv[1:])
