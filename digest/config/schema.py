"""The JSON Schema of the subscribers file, for completion in editors: ``python -m digest.config.schema`` writes it."""

import json
from pathlib import Path

from digest.config.models import SubscribersFile

PATH = Path(__file__).with_name("subscribers.schema.json")


def schema_text() -> str:
    """The schema as it is shipped."""
    schema = SubscribersFile.model_json_schema()
    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}, indent=2) + "\n"


if __name__ == "__main__":
    PATH.write_text(schema_text(), encoding="utf-8")
