"""`python -m reports serve`: what it answers, what it refuses, and that the page follows the files."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from playwright.sync_api import expect
from starlette.testclient import TestClient

from reports import serve
from reports.figures import Figure
from reports.serve import Press, application, fingerprint
from reports.sources.error import SourceError
from tests.reports.browser import visit
from tests.reports.small_page import FIGURES, small_page

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "results"
    path.mkdir()
    (path / "a.json").write_text("{}")
    return path


@pytest.fixture
def press(folder):
    """A press whose page is the text of the files."""
    pressed = Press([folder], lambda address: address + "".join(p.read_text() for p in sorted(folder.glob("*.json"))))
    pressed.look()
    return pressed


def client(press, hosts=serve.LOOPBACK_NAMES, host="127.0.0.1:8000", closing=lambda: True):
    return TestClient(application(press, list(hosts), closing), base_url=f"http://{host}")


def test_the_page_follows_names_sizes_and_times(press, folder):
    versions = [press.edition.version]
    for change in (
        lambda: (folder / "b.json").write_text("1"),
        lambda: (folder / "b.json").write_text("12"),
        lambda: os.utime(folder / "b.json", (1, 1)),
        lambda: (folder / "b.json").rename(folder / "c.json"),
        lambda: (folder / "c.json").unlink(),
    ):
        change()
        press.look()
        versions.append(press.edition.version)
        assert press.edition.page.startswith(f"updates?since={versions[-1]}")
    assert len(set(versions[:-1])) == 5
    assert versions[-1] == versions[0]


def test_a_growing_record_of_a_running_comparison_is_noticed(folder):
    trial = folder / "gpt2-nano-torch" / "trial.jsonl"
    trial.parent.mkdir()
    trial.write_text("{}\n")
    before = fingerprint([folder])
    with trial.open("a") as file:
        file.write("{}\n")
    assert fingerprint([folder]) != before


def test_nothing_is_made_again_where_nothing_changed(folder):
    made = []
    press = Press([folder], lambda address: made.append(address) or "page")
    press.look()
    press.look()
    assert len(made) == 1


@pytest.mark.parametrize("error", [SourceError("a word"), ValueError("a word")])
def test_the_last_good_page_stays_when_a_new_one_cannot_be_made(press, folder, monkeypatch, error, capsys):
    good = press.edition
    make = press._make
    press._make = lambda address: (_ for _ in ()).throw(error)
    (folder / "b.json").write_text("new")
    press.look()
    assert press.edition[:2] == good[:2]
    assert press.edition.note.startswith("The newest results are not shown:")
    assert "a word" in press.edition.note
    assert client(press).get("/").text == good.page
    press._make = make
    (folder / "b.json").write_text("newer")
    press.look()
    assert press.edition.note == ""
    assert press.edition.page.endswith("newer")
    assert ("Traceback" in capsys.readouterr().err) == (not isinstance(error, SourceError))


def test_results_that_vanish_and_come_back_are_said_and_shown(press, folder):
    folder.rename(folder.with_name("away"))
    press.look()
    assert "results" in press.edition.note
    folder.with_name("away").rename(folder)
    press.look()
    assert press.edition.note == ""


def test_before_the_first_page_there_is_one_that_says_why_and_tries_again(folder):
    press = Press([folder], lambda address: 1 / 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serve.traceback, "print_exc", lambda: None)
        press.look()
    answer = client(press).get("/")
    assert "ZeroDivisionError" in answer.text
    assert 'http-equiv="refresh"' in answer.text


def test_a_note_with_markup_is_shown_and_not_run(folder):
    press = Press([folder], lambda address: "")
    press.edition = press.edition._replace(note="<script>alert(1)</script>")
    assert "<script>" not in client(press).get("/").text


def test_there_are_two_addresses_to_read_and_nothing_to_write(press):
    with client(press) as browser:
        assert browser.get("/").text == press.edition.page
        assert browser.get("/updates").status_code == 200
        for path in ("/a.json", "/results/a.json", "/../a.json", "/%2e%2e/%2e%2e/etc/passwd", "/docs", "/openapi.json"):
            assert browser.get(path).status_code == 404
        for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
            assert browser.request(method, "/").status_code == 405
            assert browser.request(method, "/updates").status_code == 405


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8000"])
def test_a_name_that_somebody_else_leads_here_is_refused(press, host):
    assert client(press, host=host).get("/").status_code == 400
    assert client(press, host=host).get("/updates").status_code == 400


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8000", "[::1]:8000"])
def test_this_machines_own_names_are_answered(press, host):
    assert client(press, host=host).get("/").status_code == 200


def test_nobody_may_keep_frame_or_guess_the_answers(press):
    headers = client(press).get("/").headers
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "access-control-allow-origin" not in headers


def events(press, since):
    """What the updates say until the server ends, of which it is told at the third look."""
    looks = iter([False, False, True])
    with client(press, closing=lambda: next(looks)) as browser:
        answer = browser.get("/updates", params={"since": since})
    assert answer.headers["content-type"].startswith("text/event-stream")
    return re.findall(r"event: (\w+)\ndata: (.*)\n\n", answer.text)


def test_updates_tell_who_has_an_older_page_and_wait_otherwise(press):
    assert events(press, press.edition.version) == []
    assert events(press, "older") == [("newer", press.edition.version)]
    press.edition = press.edition._replace(note="two\nlines")
    assert events(press, press.edition.version) == [("note", json.dumps("two\nlines"))]


def test_the_page_asks_its_own_server_and_a_file_asks_nobody():
    live = small_page("updates?since=abc")
    assert 'data-live="updates?since=abc"' in live
    assert "connect-src &#39;self&#39;" in live or "connect-src 'self'" in live
    assert "connect-src" not in small_page().split("</head>")[0]


def start(*arguments):
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "reports", "serve", *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=ROOT, text=True, env=environment, **pipes)


def everything(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_it_serves_until_ctrl_c_ends_it_quietly_and_writes_nothing(folder):
    before = everything(folder.parent)
    process = start(folder, "--port", "0", "--interval", "0.1")
    try:
        address = process.stdout.readline().split()[0]
        assert address.startswith("http://127.0.0.1:")
        with socket.create_connection(("127.0.0.1", int(address.rstrip("/").rpartition(":")[2]))) as waiting:
            waiting.sendall(b"GET /updates?since=x HTTP/1.1\r\nHost: localhost\r\n\r\n")
            said = b""
            while b"event: newer" not in said:
                said += waiting.recv(4096) or pytest.fail(f"the connection ended after {said!r}")
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=20) == 0
        assert process.stderr.read() == "reading the results ...\n"
    finally:
        process.kill()
        process.communicate()
    assert everything(folder.parent) == before


def test_a_port_that_is_taken_is_one_line(folder, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert serve.main([str(folder), "--port", str(port)]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"error: cannot listen on 127.0.0.1, port {port}: ")
    assert error.endswith("Address already in use. Choose another with --port.\n")


def test_an_address_that_is_not_this_machines_is_one_line(folder, capsys):
    assert serve.main([str(folder), "--host", "192.0.2.1"]) == 1
    assert capsys.readouterr().err.endswith("Choose another with --host.\n")


def test_an_interrupt_while_the_results_are_read_ends_it_quietly(folder, monkeypatch, capsys):
    def interrupted(press):
        raise KeyboardInterrupt

    monkeypatch.setattr(Press, "look", interrupted)
    assert serve.main([str(folder), "--port", "0"]) == 0
    assert capsys.readouterr().err == "reading the results ...\n"


def test_a_path_that_is_not_there_is_one_line(tmp_path, capsys):
    assert serve.main([str(tmp_path / "nothing")]) == 1
    assert capsys.readouterr().err == (
        f"error: {tmp_path / 'nothing'}: no such file or folder. Name one that holds results, or will hold them.\n"
    )


@pytest.mark.parametrize(
    "arguments", [["--port", "70000"], ["--port", "x"], ["--interval", "0"], ["--interval", "nan"]]
)
def test_a_port_or_an_interval_that_is_none_is_refused(arguments, capsys):
    with pytest.raises(SystemExit):
        serve.main(arguments)
    assert "is no " in capsys.readouterr().err


@pytest.mark.parametrize(("host", "warned"), [("0.0.0.0", True), ("127.0.0.1", False), ("::1", False)])
def test_who_lets_others_in_is_warned(folder, monkeypatch, capsys, host, warned):
    asked = []
    monkeypatch.setattr(serve.uvicorn.Server, "run", lambda self, sockets: None)
    monkeypatch.setattr(serve, "application", lambda press, hosts, closing: asked.append(hosts))
    monkeypatch.setattr(serve, "render", lambda results, command, live: "page")
    try:
        assert serve.main([str(folder), "--host", host, "--port", "0"]) == 0
    except OSError:
        pytest.skip("this machine has no IPv6")
    assert ("is not this machine alone" in capsys.readouterr().err) == warned
    assert (asked[0] == ["*"]) == warned


def test_the_open_page_shows_what_arrives_and_keeps_the_readers_place(chromium, folder):
    arrived = Figure("arrived", "Arrived", missing=["A line above the reader's place."] * 20)
    editions = iter([(FIGURES, "Numbers"), ([arrived, *FIGURES], "More numbers")])
    press = Press([folder], lambda address: small_page(address, *next(editions)))
    press.look()
    server = serve.uvicorn.Server(
        serve.uvicorn.Config(
            application(press, ["127.0.0.1"], lambda: server.should_exit), log_level="error", lifespan="off"
        )
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        context = chromium.new_context(viewport={"width": 1000, "height": 700})
        try:
            seen = visit(context, f"http://127.0.0.1:{listener.getsockname()[1]}/")
            page = seen.drawn()
            page.locator("#rows summary").click()
            page.locator("#find-rows").fill("59")
            page.evaluate("document.getElementById('more-2').scrollIntoView()")
            before = page.locator("#more-2").bounding_box()["y"]
            (folder / "b.json").write_text("{}")
            press.look()
            expect(page.locator("#numbers h2")).to_contain_text("More numbers", timeout=20_000)
            expect(page.locator("#rows")).to_have_attribute("open", "")
            expect(page.locator("#find-rows")).to_have_value("59")
            expect(page.locator("#find-rows")).to_be_focused()
            deadline = time.monotonic() + 10
            while abs(page.locator("#more-2").bounding_box()["y"] - before) > 3 and time.monotonic() < deadline:
                time.sleep(0.1)
            assert page.locator("#more-2").bounding_box()["y"] == pytest.approx(before, abs=3)
            press.edition = press.edition._replace(note="The newest results are not shown: a word.")
            expect(page.get_by_role("status").filter(has_text="a word")).to_be_visible()
            assert seen.messages == seen.errors == []
            assert {request.partition("updates")[1] for request in seen.requests} == {"updates"}
        finally:
            context.close()
            server.should_exit = True
            thread.join(timeout=20)
    assert not thread.is_alive()
