"""A tap on a form's button in a real browser, with JavaScript: the second one waits for the first."""

from playwright.sync_api import Browser, Route

from tests.fakes.fake_node import FakeNode
from tests.fakes.ui_citizen import HOME, kiosk_web

WAIT_MS_MAX = 10_000
BUTTONS = "[...document.querySelectorAll('form button')]"


def test_after_a_tap_no_button_works_until_the_page_is_shown_again(browser: Browser, node: FakeNode) -> None:
    sent: list[str] = []
    with kiosk_web(node) as web:

        def serve(route: Route) -> None:
            if route.request.method == "POST":
                sent.append(route.request.post_data or "")
                route.fulfill(status=204)  # no next page: this one stays, as while a slow one is waited for
                return
            with web.get(route.request.url.removeprefix(HOME)) as reply:
                headers = {"Content-Type": reply.headers["Content-Type"]}
                route.fulfill(status=reply.status_code, headers=headers, body=reply.data)

        page = browser.new_page()
        page.route("**/*", serve)
        page.goto(f"{HOME}/nl/hulp/medisch")
        page.locator("button[name=do][value=no]").click(no_wait_after=True)
        page.wait_for_function(f"{BUTTONS}.every(button => button.disabled)", timeout=WAIT_MS_MAX)
        page.evaluate("dispatchEvent(new Event('pageshow'))")
        assert page.evaluate(f"{BUTTONS}.every(button => !button.disabled)")
        page.close()
    assert len(sent) == 1
    assert "do=no" in sent[0]  # a tapped button that is disabled too soon would not say which it was
