"""Holds requests and answers against an OpenAPI document.

Standard input has {"document", "exchanges": [{"method", "path", "status", "request", "answer"}]}; what does not hold is printed as a JSON
list of sentences. A request that was carried out must fit its schema; an answer must always be one that the document has.
"""
import json
import sys

import jsonschema_rs

given = json.load(sys.stdin)
document = given["document"]
validators = {}


def resolved(value):
    while "$ref" in value:
        target = document
        for name in value["$ref"].removeprefix("#/").split("/"):
            target = target[name.replace("~1", "/").replace("~0", "~")]
        value = target
    return value


def problems(content, instance):
    schema = resolved(content)["content"]["application/json"]["schema"]
    text = json.dumps(schema, sort_keys=True)
    if text not in validators:
        validators[text] = jsonschema_rs.Draft202012Validator({**schema, "components": document["components"]})
    return [f"{error.message[:300]} at {'/'.join(map(str, error.instance_path))}" for error in validators[text].iter_errors(instance)]


found = []
for exchange in given["exchanges"]:
    operation = document["paths"].get(exchange["path"], {}).get(exchange["method"].lower())
    if operation is None:
        continue
    answer, status, where = exchange["answer"], str(exchange["status"]), f"{exchange['method']} {exchange['path']}"
    if (answer.get("result") or {}).get("is_success") is True:
        found += [f"{where}, asked: {problem}: {json.dumps(exchange['request'])[:500]}" for problem in problems(operation["requestBody"], exchange["request"])]
    if status not in operation["responses"]:
        found.append(f"{where} answers {status}, which the document does not have")
        continue
    found += [f"{where}, answered {status}: {problem}: {json.dumps(answer)[:500]}" for problem in problems(operation["responses"][status], answer)]
print(json.dumps(found))
