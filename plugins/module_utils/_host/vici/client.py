# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The control socket of the IKE daemon, vici: the only place that speaks it.

Whatever the daemon refuses, or does not answer in time, is a ``HostError`` that holds the daemon's
words and never what was sent, since that may be a secret. A command that fails because its end is
reached already (nothing left to unload or to terminate) is no error; this is looked up in the
daemon's lists rather than read out of its texts.

Source: src/libcharon/plugins/vici/README.md of strongSwan 5.9.8 and 6.0.1.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
import typing as t

from ..._errors import HostError
from .message import ChildState, IkeState, Message, PolicyState, actions, decode, encoded
from .transport import NO_ANSWER, BoundedSocket, Silent, charon_socket

try:
    import vici
    from vici.exception import (
        CommandException,
        DeserializationException,
        EventUnknownException,
        SessionException,
    )
except ImportError:  # Vici() reports it
    vici = None
else:
    # What the library raises when the daemon does not keep to the protocol, or does not speak.
    _FAULTS = (
        DeserializationException,
        EventUnknownException,
        SessionException,
        KeyError,
        OSError,
        UnicodeDecodeError,
        struct.error,
    )

# Longer than charon needs for anything that involves neither a peer nor a name server.
ANSWER_TIMEOUT = 30.0
# How long a name server that is out of reach keeps charon busy, with three in resolv.conf(5).
LOOKUP_TIMEOUT = 30.0
# How long a peer may take to confirm a delete, about two retransmissions.
DELETE_TIMEOUT = 5.0


def available() -> bool:
    """Whether the library is there."""
    return vici is not None


class Vici:
    """A session with the IKE daemon, to be used in a ``with`` statement.

    ``connect`` makes the socket; ``timeout`` bounds each command, in seconds, and ``alive`` gets
    that bound before a command, and 0 after it. After a command that was not answered properly the
    session is over, and every further command fails.
    """

    def __init__(
        self,
        connect: t.Callable[[], socket.socket] = charon_socket,
        *,
        timeout: float = ANSWER_TIMEOUT,
        alive: t.Callable[[float], None] = lambda _seconds: None,
    ) -> None:
        if vici is None:
            raise HostError(
                "speak with the IKE daemon",
                f"the Python library vici is not installed for {sys.executable}; "
                "the role tunnelwright.ipsec.gateway installs it, and so does: pip install vici",
            )
        self._timeout = timeout
        self._alive = alive
        self._lost = ""
        self._socket = BoundedSocket(connect())
        self._session = vici.Session(self._socket)

    def __enter__(self) -> Vici:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._socket.close()

    @property
    def lost(self) -> bool:
        """Whether the session is over, so that a new one is needed."""
        return bool(self._lost)

    @property
    def pid(self) -> int:
        """The process that listens on the socket; 0 where it is in another PID namespace."""
        return self._socket.listener()

    # What the daemon is

    def version(self) -> dict[str, str]:
        """``daemon``, ``version``, ``sysname``, ``release``, ``machine``."""
        return self._request("ask the IKE daemon for its version", "version")

    def plugins(self) -> frozenset[str]:
        """The plugins that are loaded."""
        stats = self._request("ask the IKE daemon for its plugins", "stats")
        return frozenset(stats.get("plugins", ()))

    def algorithms(self) -> dict[str, frozenset[str]]:
        """What the loaded plugins can do, by kind: ``{"encryption": {"AES_CBC", ...}, "ke": ...}``.

        Key exchange is ``ke`` as in strongSwan 6, whatever the version.
        """
        answer = self._request("ask the IKE daemon for its algorithms", "get-algorithms")
        return {"ke" if kind == "dh" else kind: frozenset(names) for kind, names in answer.items()}

    def reload_settings(self) -> None:
        """Have strongswan.conf read again."""
        self._request("reload the settings of the IKE daemon", "reload-settings")

    # What is loaded

    def connections(self, name: str | None = None) -> dict[str, dict[str, t.Any]]:
        """The connections that are loaded, by name, from any source; or the one named.

        charon shows only part of what was loaded: no proposals, start actions, lifetimes ...
        """
        message = {} if name is None else {"ike": name}
        events = self._stream("list the connections", "list-conns", "list-conn", message)
        return {key: section for event in events for key, section in event.items()}

    def connection_names(self) -> frozenset[str]:
        """The names of the connections that were loaded over vici."""
        answer = self._request("list the names of the connections", "get-conns")
        return frozenset(answer.get("conns", ()))

    def secrets(self) -> frozenset[str]:
        """The ids of the shared secrets; those without an id are not among them."""
        answer = self._request("list the secrets", "get-shared")
        return frozenset(answer.get("keys", ()))

    def keys(self) -> frozenset[str]:
        """The ids of the private keys, as ``load_key`` returned them."""
        answer = self._request("list the private keys", "get-keys")
        return frozenset(answer.get("keys", ()))

    def authorities(self) -> dict[str, str]:
        """The subject of the CA of each section ``authorities`` that is loaded, by its name."""
        events = self._stream("list the authorities", "list-authorities", "list-authority", {})
        return {key: item["cacert"] for event in events for key, item in event.items()}

    def ca_certificates(self) -> frozenset[bytes]:
        """The certificates of CAs, in DER: loaded ones, and those that peers have sent."""
        message, operation = {"type": "X509", "flag": "CA"}, "list the CA certificates"
        events = self._events(operation, "list-certs", "list-cert", message)
        return frozenset(item["data"] for item in events if item["flag"] == b"CA")

    def flush_certificates(self) -> None:
        """Have what peers have sent forgotten. They send it again when it is needed."""
        self._request("flush the certificates", "flush-certs", {"type": "X509"})

    # What is in force

    def sas(self, name: str | None = None) -> tuple[IkeState, ...]:
        """The IKE SAs with their Child SAs in whatever state, all or those of one connection."""
        return tuple(IkeState.of(key, sa) for key, sa in self.sa_sections(name))

    def sa_sections(self, name: str | None = None) -> tuple[tuple[str, dict[str, t.Any]], ...]:
        """The same with all that charon tells of them, by name of the connection."""
        message = {} if name is None else {"ike": name}
        events = self._stream("list the SAs", "list-sas", "list-sa", message)
        return tuple(item for event in events for item in event.items())

    def policies(self, ike: str | None = None) -> tuple[PolicyState, ...]:
        """The trap, pass and drop policies that charon believes to be installed."""
        message = {"trap": "yes", "pass": "yes", "drop": "yes"}
        if ike is not None:
            message["ike"] = ike
        events = self._stream("list the policies", "list-policies", "list-policy", message)
        return tuple(PolicyState.of(policy) for event in events for policy in event.values())

    # Load and unload

    def load_conn(self, name: str, section: Message) -> None:
        """Load or replace one connection; what its start_action asks for is begun, not awaited.

        Yet charon looks up the peer's name before it answers, once per action of each child.
        """
        waits = LOOKUP_TIMEOUT * actions(section)
        self._request(f"load connection {name}", "load-conn", {name: section}, waits=waits)

    def unload_conn(self, name: str) -> bool:
        """Whether there was such a connection. Its established SAs stay."""
        try:
            self._request(f"unload connection {name}", "unload-conn", {"name": name})
        except _Refused:
            if name in self.connection_names():
                raise
            return False
        return True

    def load_shared(
        self, id: str, owners: t.Sequence[str], data: bytes, *, kind: str = "IKE"
    ) -> None:
        """Load the secret ``data``, raw, or replace the one that has this id; no owners: any peer.

        ``kind`` is that of swanctl.conf: IKE for a PSK, EAP, XAUTH, NTLM or PPK.
        """
        message = {"id": id, "type": kind, "data": data, "owners": tuple(owners)}
        self._request(f"load secret {id}", "load-shared", message)

    def unload_shared(self, id: str) -> None:
        """Unload a secret, if there is one of this id."""
        self._request(f"unload secret {id}", "unload-shared", {"id": id})

    def try_authority(self, name: str, data: bytes) -> None:
        """Have the certificate of a CA judged, PEM. It is trusted for the moment of it."""
        operation = "load a CA certificate"
        self._request(operation, "load-authority", {name: {"cacert": data}})
        self.unload_authority(name)

    def unload_authority(self, name: str) -> None:
        """Forget a section ``authorities``, and its CA unless that is loaded otherwise, too."""
        self._request(f"unload authority {name}", "unload-authority", {"name": name})

    def load_key(self, data: bytes) -> str:
        """Load an unencrypted private key, PEM or DER; its id, which depends on the key only."""
        answer = self._request("load a private key", "load-key", {"type": "any", "data": data})
        return str(answer.get("id", ""))

    def unload_key(self, id: str) -> bool:
        """Whether there was such a key."""
        try:
            self._request(f"unload private key {id}", "unload-key", {"id": id})
        except _Refused:
            if id in self.keys():
                raise
            return False
        return True

    # Put in force

    def initiate(self, ike: str, child: str) -> None:
        """Begin to establish a child; whether it succeeds shows in ``sas``."""
        message = {"ike": ike, "child": child, "timeout": "-1"}
        with contextlib.suppress(_Refused):
            # Refused is what is up already, with these very values. The peer's name is looked up
            # before the answer.
            operation = f"initiate {ike}/{child}"
            self._request(operation, "initiate", message, waits=LOOKUP_TIMEOUT)

    def rekey(self, ike: str, child: ChildState) -> None:
        """Begin to replace the keys of a Child SA; whether it succeeds shows in ``sas``."""
        self._request(f"rekey {ike}/{child.name}", "rekey", {"child-id": child.uniqueid})

    # Take out of force

    def terminate_ike(self, name: str, *, timeout: float = DELETE_TIMEOUT) -> None:
        """Close each IKE SA of a connection, for certain.

        A peer that does not confirm the delete within ``timeout`` seconds is not waited for.
        """
        for sa in self.sas(name):
            self._terminate_ike(sa, timeout)

    def terminate_child(self, ike: str, child: str, *, timeout: float = DELETE_TIMEOUT) -> bool:
        """Close each Child SA of this name. Whether an IKE SA had to go with one.

        charon can't drop a Child SA whose peer does not confirm the delete; so after ``timeout``
        seconds the whole IKE SA is closed, which is dead anyway.
        """
        gone_too = False
        for sa in self.sas(ike):
            for item in sa.children:
                if item.name == child and not item.gone:
                    gone_too = not self._terminate_child(sa, item, timeout) or gone_too
        return gone_too

    def install(self, ike: str, child: str) -> None:
        """Install the trap or the shunt of a child, or install it once more in the kernel."""
        message = {"child": child, "ike": ike}
        self._request(f"install the policy of {ike}/{child}", "install", message)

    def uninstall(self, ike: str, child: str) -> bool:
        """Remove the trap, pass or drop policy of a child. Whether there was one."""
        try:
            self._request(
                f"uninstall the policy of {ike}/{child}", "uninstall", {"child": child, "ike": ike}
            )
        except _Refused:
            if any(policy.child == child for policy in self.policies(ike)):
                raise
            return False
        return True

    def close(self, sa: IkeState, child: ChildState | None = None) -> None:
        """Close one IKE SA, or one Child SA of it."""
        if child is None:
            self._terminate_ike(sa, DELETE_TIMEOUT)
        else:
            self._terminate_child(sa, child, DELETE_TIMEOUT)

    def _terminate_ike(self, sa: IkeState, timeout: float) -> None:
        """With ``force``, charon waits for the peer, then does without and says that it failed."""
        message = {"ike-id": sa.uniqueid, "force": "yes", "timeout": str(round(timeout * 1000))}
        try:
            self._request(f"close the IKE SA of {sa.name}", "terminate", message, waits=timeout)
        except _Refused:
            if any(left.uniqueid == sa.uniqueid for left in self.sas(sa.name)):
                raise

    def _terminate_child(self, sa: IkeState, child: ChildState, timeout: float) -> bool:
        """Whether it could be closed by itself."""
        message = {"child-id": child.uniqueid, "timeout": str(round(timeout * 1000))}
        operation = f"close the Child SA {sa.name}/{child.name}"
        try:
            self._request(operation, "terminate", message, waits=timeout)
        except _Refused:
            for left in self.sas(sa.name):
                if any(item.uniqueid == child.uniqueid and not item.gone for item in left.children):
                    # At once: its delete would have to queue behind the unanswered one.
                    self._terminate_ike(left, 0)
                    return False
        return True

    # Conversation

    def _request(
        self,
        operation: str,
        command: str,
        message: Message | None = None,
        *,
        waits: float = 0.0,
    ) -> dict[str, t.Any]:
        """The answer; ``waits`` is how many seconds the daemon was told that it may take."""
        checked = encoded(operation, message or {})
        with self._speaking(operation, waits):
            return decode(self._session.request(command, checked))

    def _stream(
        self, operation: str, command: str, event: str, message: Message
    ) -> list[dict[str, t.Any]]:
        """The events that the daemon sends while it works on the command."""
        return [decode(item) for item in self._events(operation, command, event, message)]

    def _events(
        self, operation: str, command: str, event: str, message: Message
    ) -> list[dict[str, t.Any]]:
        """The same with the bytes that came."""
        checked = encoded(operation, message)
        with self._speaking(operation):
            return list(self._session.streamed_request(command, event, checked))

    @contextlib.contextmanager
    def _speaking(self, operation: str, waits: float = 0.0) -> t.Iterator[None]:
        """Bound in time what is done inside; its failure is that of ``operation``."""
        if self._lost:
            raise HostError(operation, f"the session with the IKE daemon is over: {self._lost}")
        self._alive(self._timeout + waits)
        self._socket.allow(self._timeout + waits)
        try:
            yield
            # What comes next may hang elsewhere.
            self._alive(0)
        except CommandException as error:
            raise _Refused(operation, str(error).removeprefix("Command failed: ")) from error
        except _FAULTS as error:
            # A late answer would be taken for that of the next command.
            self._socket.close()
            self._lost = _reason(error)
            kind = Silent if isinstance(error, socket.timeout) else HostError
            raise kind(operation, self._lost) from error


class _Refused(HostError):
    """The daemon understood the command and said no."""


def _reason(error: Exception) -> str:
    if isinstance(error, socket.timeout):
        return NO_ANSWER
    if isinstance(error, OSError):
        return f"the IKE daemon broke off: {error.strerror or error}"
    return f"the IKE daemon gave an answer that makes no sense: {error}"
