"""One page on Flask and waitress and nothing else: what a page costs at the least."""

import sys

import flask
import waitress

app = flask.Flask(__name__)
PAGE = "<!doctype html><title>Help</title>{% for kind in kinds %}<a href='/{{ kind }}'>{{ kind }}</a>{% endfor %}"


@app.get("/")
def home() -> str:
    return flask.render_template_string(PAGE, kinds=["medical", "fire", "other"])


if __name__ == "__main__":
    waitress.serve(app, host="127.0.0.1", port=int(sys.argv[1]))
