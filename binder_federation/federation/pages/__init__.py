"""What visitors see: templates, static files and badges, rendered without I/O.

`render.py` makes the pages, `assets.py` names the static files, `badges.py` draws
the badges; `federation/handlers/pages.py` serves all of it. There is no build step
and no front-end code of others: the browser loads the modules in `static/` as they are.
"""
