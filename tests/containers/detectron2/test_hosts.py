"""Who leads, and where the processes meet."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def hosts(module):
    return module("hosts")


@pytest.fixture
def read(hosts, tmp_path):
    def read(content):
        file = tmp_path / "resourceconfig.json"
        file.write_text(content if isinstance(content, str) else json.dumps(content))
        return hosts.read(file)

    return read


def test_hosts_are_sorted_and_the_first_leads(read):
    names = ["algo-10", "algo-2", "algo-1"]
    found = [read({"hosts": names, "current_host": name, "network_interface_name": "eth0"}) for name in names]
    assert [one.rank for one in found] == [2, 1, 0]
    assert {(one.master, one.interface, one.url("job")) for one in found} == {
        ("algo-1", "eth0", found[0].url("job"))
    }


def test_jobs_on_one_machine_meet_at_ports_of_their_own(hosts):
    cluster = hosts.Cluster(("a",), "a")
    urls = {cluster.url(f"job-{number}") for number in range(20)}
    assert len(urls) > 15 and cluster.url("job-1") in urls
    assert all(20_000 <= int(url.removeprefix("tcp://a:")) < 30_000 for url in urls)


def test_without_the_file_it_is_one_host(hosts, tmp_path):
    assert hosts.read(tmp_path / "none.json") == hosts.Cluster(("algo-1",), "algo-1")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        ({"hosts": ["a"]}, "current_host"),
        ({"hosts": "a", "current_host": "a"}, "not a list of names"),
        ({"hosts": ["a", "b"], "current_host": "c"}, "current_host 'c' must be one of hosts"),
        ({"hosts": ["a", "a"], "current_host": "a"}, "each named once"),
    ],
)
def test_what_does_not_tell_the_hosts_is_refused(hosts, read, content, message):
    with pytest.raises(hosts.BadHosts, match=message):
        read(content)
