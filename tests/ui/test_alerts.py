"""A loss is told when it begins and when it ends."""

from __future__ import annotations

from kelly_live.ui.alerts import Alerts


def test_each_loss_and_its_end_is_printed_once() -> None:
    alerts = Alerts()
    assert alerts.news({"input": None, "port": None}) == []
    assert alerts.news({"input": "unplugged", "port": None}) == ["unplugged"]
    assert alerts.news({"input": "unplugged", "port": "gone"}) == ["gone"]
    assert alerts.news({"input": None, "port": "gone"}) == ["input: back"]
    assert alerts.news({}) == ["port: back"]
    assert alerts.news({"input": "unplugged"}) == ["unplugged"]


def test_a_count_that_goes_on_is_no_news() -> None:
    alerts = Alerts()
    assert alerts.news({"analysis": "nothing was felt for 5 s"}) == ["nothing was felt for 5 s"]
    assert alerts.news({"analysis": "nothing was felt for 6 s"}) == []
