"""A real Apache Kafka on loopback ports, in a directory of its own.

    with Broker(tmp_path) as broker:      # formats the directory and starts
        broker.bootstrap                  # "127.0.0.1:PORT", plaintext, allowed everything
        broker.kill()                     # SIGKILL; `start` goes on with the same data and ports
        broker.start()
        broker.pause(); broker.resume()   # SIGSTOP and SIGCONT: a hung broker
        broker.stop()                     # SIGTERM, waited for

`Broker(path, tls=certificates, users={"alice": "secret"})` adds `broker.secure_bootstrap`, a
SASL_SSL listener with SCRAM-SHA-512 and ACLs that allow nothing until one is created.

Kafka 4.3.1 on its own, killed within milliseconds of a commit, may come back without the commit's
mark in the topics, although its transaction log says complete: let a reader see the records first,
or `stop`. A topic made in the last moment may be gone as well.
"""

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

POM = Path(__file__).with_name("pom.xml")
CACHE = Path(__file__).parents[2] / ".cache" / "kafka-4.3.1"
START_TIMEOUT_S = 60
CLUSTER_ID = "c3RyZWFtYWUtdGVzdHMtMQ"  # 22 characters, as the format tool wants it.

LEASH = 'exec 3<&0 </dev/null; (read -r _ <&3; kill -9 0) & exec 3<&-; exec "$@"'
"""Runs a command that ends with the tests, however they end.

A subshell waits for the pipe on its standard input to close and kills the process group, which is
the command and itself. (Linux's PR_SET_PDEATHSIG would go by the thread that started the command.)
"""

# A killed broker is let in again after its session (default 9 s), and a dead transaction is
# looked for every 500 ms instead of 10 s: waiting proves nothing.
COMMON = """
process.roles=broker,controller
node.id=1
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
transaction.abort.timed.out.transaction.cleanup.interval.ms=500
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=300
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
"""

SECURE = """
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=\
org.apache.kafka.common.security.scram.ScramLoginModule required;
ssl.keystore.type=PEM
ssl.truststore.type=PEM
"""


class Tls(NamedTuple):
    """PEM files of the listener."""

    identity: Path
    """Private key, certificate and authority, in this order."""
    authority: Path


class Broker:
    """One broker process; every method returns once its effect is there."""

    def __init__(
        self,
        directory: Path,
        *,
        tls: Tls | None = None,
        users: Mapping[str, str] | None = None,
        properties: Mapping[str, str] | None = None,
        port: int | None = None,
        jvm: tuple[str, ...] = ("-XX:TieredStopAtLevel=1",),
    ) -> None:
        self.directory = directory
        self.log = directory / "broker.log"
        self._tls = tls
        self._users = users or {}
        self._jvm = jvm
        free, self._secure_port, self._controller_port = free_ports(3)
        self._port = port or free
        self._process: subprocess.Popen[bytes] | None = None
        self._classpath = f"{jars()}/*"
        self._config = directory / "server.properties"
        directory.mkdir(parents=True, exist_ok=True)
        self._config.write_text(self._properties(properties or {}))

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self._port}"

    @property
    def secure_bootstrap(self) -> str:
        return f"127.0.0.1:{self._secure_port}"

    @property
    def pid(self) -> int:
        return self._running().pid

    def format(self) -> None:
        """Make an empty data directory; the users exist from here on."""
        scram = [
            argument
            for name, password in self._users.items()
            for argument in ("--add-scram", f"SCRAM-SHA-512=[name={name},password={password}]")
        ]
        tool = ("kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", str(self._config))
        done = subprocess.run(
            [*self._java(), *tool, *scram], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"cannot format {self.directory}: {done.stdout}{done.stderr}")

    def start(self) -> None:
        """Start with whatever the data directory holds, and wait until clients are served."""
        if self._process is not None:
            raise RuntimeError("the broker is running already")
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                ["sh", "-c", LEASH, "sh", *self._java(), "kafka.Kafka", str(self._config)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the tests, which stop the broker.
            )
        self._await_ready()

    def stop(self) -> None:
        """Shut down in order (SIGTERM); kill after a minute."""
        process = self._running()
        process.terminate()
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
        self._end(process)

    def kill(self) -> None:
        """End the process at once (SIGKILL), as a power cut would."""
        process = self._running()
        process.kill()
        self._end(process)

    def pause(self) -> None:
        """Hang: connections stay open and nothing answers (SIGSTOP)."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def close(self) -> None:
        """Stop whatever is left; a paused broker too."""
        if self._process is not None:
            self._process.kill()
            self._end(self._process)

    def __enter__(self) -> Self:
        self.format()
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        process.stdin.close()
        process.wait()
        self._process = None

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("the broker is not running")
        return self._process

    def _java(self) -> list[str]:
        logging = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
        memory = ("-Xmx512m", "-XX:+UseSerialGC")
        return ["java", *memory, *self._jvm, logging, "-cp", self._classpath]

    def _properties(self, extra: Mapping[str, str]) -> str:
        listeners = {"PLAINTEXT": self._port}
        if self._tls is not None:
            listeners["SASL_SSL"] = self._secure_port
        reached = ",".join(f"{name}://127.0.0.1:{port}" for name, port in listeners.items())
        lines = [
            COMMON,
            f"log.dirs={self.directory / 'data'}",
            f"listeners={reached},CONTROLLER://127.0.0.1:{self._controller_port}",
            f"advertised.listeners={reached}",
            f"controller.quorum.voters=1@127.0.0.1:{self._controller_port}",
            *(f"{key}={value}" for key, value in extra.items()),
        ]
        if self._tls is not None:
            lines.append(SECURE)
            lines.append(f"ssl.keystore.location={self._tls.identity}")
            lines.append(f"ssl.truststore.location={self._tls.authority}")
        return "\n".join(lines) + "\n"

    def _await_ready(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not listening(self._port):
            process = self._running()
            if process.poll() is not None or time.monotonic() > deadline:
                self.close()
                tail = self.log.read_text(errors="replace")[-4000:]
                raise RuntimeError(f"the broker did not start; {self.log} ends with\n{tail}")
            time.sleep(0.05)


def listening(port: int) -> bool:
    """Return whether something accepts connections on a loopback port."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def free_ports(n: int) -> list[int]:
    """Return n different ports that nothing listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
    ports: list[int] = [taken.getsockname()[1] for taken in sockets]
    for taken in sockets:
        taken.close()
    return ports


def jars() -> Path:
    """Return the directory of Kafka's jars; Maven fetches them once (43 MB)."""
    if missing := [tool for tool in ("java", "mvn") if shutil.which(tool) is None]:
        names = " and ".join(missing)
        raise RuntimeError(
            f"{names} not found: install a Java 17 runtime and Maven"
            " (Debian: apt-get install openjdk-17-jre-headless maven)"
        )
    CACHE.parent.mkdir(parents=True, exist_ok=True)
    with CACHE.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # Two test runs may start at once.
        if not CACHE.is_dir():
            fetch(CACHE)
    return CACHE


def fetch(target: Path) -> None:
    """Fetch into a directory beside `target` and rename it, so that a broken fetch leaves none."""
    partial = target.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    goal = ("dependency:copy-dependencies", "-DincludeScope=runtime")
    done = subprocess.run(
        ["mvn", "-q", "-B", "-f", str(POM), *goal, f"-DoutputDirectory={partial}"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"Maven could not fetch Apache Kafka: {done.stdout[-2000:]}")
    partial.rename(target)
