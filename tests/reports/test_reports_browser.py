"""The report in a real browser: the charts appear under the page's own policy, and nothing complains."""

import shutil
import subprocess

import pytest

from reports.__main__ import main

BROWSER = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chromium-browser"))), None)


@pytest.mark.skipif(BROWSER is None, reason="no chromium, google-chrome or chromium-browser on this machine")
def test_every_chart_is_drawn_and_nothing_is_logged(full_folder, conformance_data, conformance_file, tmp_path):
    output = tmp_path / "report.html"
    sources = ["--asv", str(full_folder.root), "--conformance", str(conformance_file(conformance_data))]
    assert main([*sources, "--output", str(output)]) == 0
    command = [
        *(BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
        *("--enable-logging=stderr", "--v=0", f"--user-data-dir={tmp_path / 'profile'}"),
        *("--virtual-time-budget=8000", "--dump-dom", output.as_uri()),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert output.read_text(encoding="utf-8").count("data-chart=") == done.stdout.count('role="graphics-document"')
    assert [line for line in done.stderr.splitlines() if "CONSOLE" in line] == []
