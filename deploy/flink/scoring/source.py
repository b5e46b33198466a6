"""The one source of words, weights, limits and schemas: `scoring.json`, generated from the handlers.

In: the file beside this module. Out: its contents, read once. Never here: a number or a word of our own.
"""

import json
import os

with open(os.path.join(os.path.dirname(__file__), "scoring.json"), encoding="utf-8") as file:
    SOURCE = json.load(file)
