"""What the Hub does not accept in the front matter of a README.md."""

from __future__ import annotations

from typing import Any

import yaml

from .described import front_matter

LICENCES = set(
    "apache-2.0 mit openrail bigscience-openrail-m creativeml-openrail-m bigscience-bloom-rail-1.0 bigcode-openrail-m"
    " afl-3.0 artistic-2.0 bsl-1.0 bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear c-uda cc cc0-1.0 cc-by-2.0"
    " cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nd-4.0"
    " cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cdla-sharing-1.0"
    " cdla-permissive-1.0 cdla-permissive-2.0 wtfpl ecl-2.0 epl-1.0 epl-2.0 etalab-2.0 eupl-1.1 eupl-1.2 agpl-3.0"
    " gfdl gpl gpl-2.0 gpl-3.0 lgpl lgpl-2.1 lgpl-3.0 isc lppl-1.3c ms-pl apple-ascl mpl-2.0 odc-by odbl openrail++"
    " osl-3.0 postgresql ofl-1.1 ncsa unlicense zlib pddl lgpl-lr deepfloyd-if-license llama2 llama3 gemma unknown"
    " other".split()
)
COLOURS = set("red yellow green blue indigo purple pink gray".split())
SDKS = {"gradio", "docker", "static", "streamlit"}
HARDWARE = {"cpu-basic", "cpu-upgrade", "zero-a10g", "t4-small", "t4-medium", "l4x1", "a10g-small", "a100-large"}
LISTS = ("tags", "datasets", "metrics", "models", "preload_from_hub", "hf_oauth_scopes", "widget")


def problems(text: str, kind: str) -> tuple[list[str], list[str]]:
    """Errors and warnings, as /api/validate-yaml gives them."""
    try:
        found = front_matter(text)
    except yaml.YAMLError as error:
        return [f"Invalid YAML: {str(error).splitlines()[0]}"], []
    if found == {}:
        return [], ["empty or missing yaml metadata in repo card"]
    if not isinstance(found, dict):
        return ['"value" must be of type object'], []
    errors = [f'"{name}" must be an array' for name in LISTS if name in found and not isinstance(found[name], list)]
    for name in ("tags", "datasets", "metrics"):
        values = found[name] if isinstance(found.get(name), list) else []
        errors += [f'"{name}[{i}]" must be a string' for i, value in enumerate(values) if not isinstance(value, str)]
    for value in found["license"] if isinstance(found.get("license"), list) else [found.get("license", "other")]:
        if value not in LICENCES:
            errors.append(f'"license" must be one of [{", ".join(sorted(LICENCES))}]')
    return errors + (_space(found) if kind == "space" else _model(found)), []


def _model(found: dict[str, Any]) -> list[str]:
    errors = [
        f'"{name}" must be a string'
        for name in ("pipeline_tag", "library_name", "license_name", "license_link")
        if name in found and not isinstance(found[name], str)
    ]
    if "model-index" not in found:
        return errors
    if not isinstance(found["model-index"], list):
        return [*errors, '"model-index" must be an array']
    for i, model in enumerate(found["model-index"]):
        if not isinstance(model, dict) or not isinstance(model.get("name"), str):
            return [*errors, f'"model-index[{i}].name" is required']
        for j, result in enumerate(model.get("results") or ()):
            here = f"model-index[{i}].results[{j}]"
            wanted = {"task": ("type",), "dataset": ("type", "name")}
            for part, names in wanted.items():
                value = result.get(part)
                errors += [f'"{here}.{part}.{n}" is required' for n in names if not (value or {}).get(n)]
            for k, metric in enumerate(result.get("metrics") or ()):
                errors += [f'"{here}.metrics[{k}].{n}" is required' for n in ("type", "value") if n not in metric]
    return errors


def _space(found: dict[str, Any]) -> list[str]:
    errors = [] if found.get("sdk") in SDKS else [f'"sdk" must be one of [{", ".join(sorted(SDKS))}]']
    for name in ("colorFrom", "colorTo"):
        if name in found and found[name] not in COLOURS:
            errors.append(f'"{name}" must be one of [{", ".join(sorted(COLOURS))}]')
    if len(str(found.get("short_description", ""))) > 60:
        errors.append('"short_description" length must be less than or equal to 60 characters long')
    if "suggested_hardware" in found and found["suggested_hardware"] not in HARDWARE:
        errors.append(f'"suggested_hardware" must be one of [{", ".join(sorted(HARDWARE))}]')
    if "python_version" in found and not isinstance(found["python_version"], (str, float, int)):
        errors.append('"python_version" must be a string')
    return errors
