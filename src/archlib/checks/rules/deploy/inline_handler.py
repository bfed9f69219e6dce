"""W9115: the handler of an inline function exists."""

from __future__ import annotations

import ast
import re
import sys
import warnings

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.read import resources

_MODULE = "index"


class InlineHandler(Rule):
    """Lambda will not find the handler in the inline code."""

    id = "W9115"
    shortdesc = "Handler is index.<a function of ZipFile>"
    description = "Inline code becomes the file index; name a function it defines at the top level."
    source_url = "https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-lambda-function-code.html"

    def find(self, cfn: Template) -> Found:
        """Yield each function whose first call must fail."""
        for function in resources(cfn, "AWS::Lambda::Function").values():
            code, handler, runtime = (function.get(key) for key in ("Code", "Handler", "Runtime"))
            if not isinstance(code, dict) or "ZipFile" not in code or "Layers" in function.properties:
                continue  # a layer may hold the handler
            if isinstance(handler, str) and isinstance(runtime, str) and runtime.startswith(("python", "nodejs")):
                problem = _problem(handler, runtime, code["ZipFile"])
                if problem:
                    yield function.path("Handler"), problem


def _problem(handler: str, runtime: str, code: object) -> str:
    """Return what is wrong with the handler, or nothing."""
    nodejs = runtime.startswith("nodejs")
    module, _, name = handler.partition(".") if nodejs else handler.rpartition(".")
    if module != _MODULE:
        return f"inline code is the module {_MODULE}, the handler is {handler}; use {_MODULE}.{name}"
    if not isinstance(code, str):
        return ""
    if nodejs:
        name = name.rpartition(".")[2]
        return (
            "" if re.search(rf"\b{re.escape(name)}\b", code) else f"the code has no {name}; export it, or name another"
        )
    try:
        names = _names(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        # this Python may be older than the runtime and not know its syntax
        version = re.fullmatch(r"python3\.(\d+)", runtime)
        known = version is not None and int(version[1]) <= sys.version_info.minor
        return f"the code is not valid Python: {error}; correct it" if known else ""
    return "" if name in names or "*" in names else f"the code defines no {name}; define it, or name another function"


def _names(code: str) -> set[str]:
    """Return every name the code may define."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(code)
    names: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                names.add(node.name)
            case ast.Name(ctx=ast.Store()):
                names.add(node.id)
            case ast.alias():
                names.add(node.asname or node.name)
            case ast.Name(id="globals" | "exec" | "setattr"):
                names.add("*")
    return names
