"""What a system does when nobody tells it anything, and where it puts things."""

from __future__ import annotations

from pathlib import Path

from aforo.settings import Layout, Ports, Settings


def test_nothing_told_is_one_machine_alone() -> None:
    settings = Settings()
    assert (settings.host, settings.insecure_http, settings.workers) == ("127.0.0.1", False, 1)
    assert settings.data == Path(".aforo")


def test_no_two_listeners_share_a_port() -> None:
    ports = Ports()
    given = [ports.gateway, ports.gateway_tls, ports.control, ports.control_tls, ports.account]
    assert len(set(given)) == len(given)


def test_everything_lies_below_the_data_directory_at_a_place_of_its_own() -> None:
    layout = Layout(Path("data"))
    places = [getattr(layout, name) for name, value in vars(Layout).items() if isinstance(value, property)]
    assert len(set(places)) == len(places) > 5
    assert all(Path("data") in place.parents for place in places)
