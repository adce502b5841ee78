"""The licences that a checkpoint can be given, under the names that the Hugging Face Hub has for them."""

from __future__ import annotations

# The Hub knows about eighty; these are the ones that people choose for weights, the least demanding first.
LICENCES: dict[str, str] = {
    "cc0-1.0": "Creative Commons Zero 1.0, no rights reserved",
    "mit": "MIT License",
    "bsd-2-clause": "BSD 2-Clause License",
    "bsd-3-clause": "BSD 3-Clause License",
    "apache-2.0": "Apache License 2.0",
    "cc-by-4.0": "Creative Commons Attribution 4.0",
    "cc-by-sa-4.0": "Creative Commons Attribution ShareAlike 4.0",
    "cc-by-nc-4.0": "Creative Commons Attribution NonCommercial 4.0",
    "cc-by-nc-sa-4.0": "Creative Commons Attribution NonCommercial ShareAlike 4.0",
    "cc-by-nd-4.0": "Creative Commons Attribution NoDerivatives 4.0",
    "cc-by-nc-nd-4.0": "Creative Commons Attribution NonCommercial NoDerivatives 4.0",
    "mpl-2.0": "Mozilla Public License 2.0",
    "lgpl-3.0": "GNU Lesser General Public License 3.0",
    "gpl-3.0": "GNU General Public License 3.0",
    "agpl-3.0": "GNU Affero General Public License 3.0",
    "openrail": "Open Responsible AI License",
    "other": "another licence, which whoever made it tells",
}
