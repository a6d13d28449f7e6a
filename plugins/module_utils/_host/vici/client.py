# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Client of vici, the control socket of the IKE daemon. No other file sends commands to it.

A command that the daemon refuses, or does not answer in time, raises ``HostError``. The error holds
the answer of the daemon, and never the message, because the message may hold a secret. A command to
unload or terminate something that no longer exists is no error. The client decides this by the
lists of the daemon, not by its texts.

The file is longer than 300 lines, because it has one method for each command of vici.

Source: src/libcharon/plugins/vici/README.md of strongSwan 5.9.8 and 6.0.1.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
import typing as t
from functools import cached_property

from ..._errors import HostError
from .message import ChildState, IkeState, Message, PolicyState, actions, decode, encoded
from .transport import NO_ANSWER, BoundedSocket, DaemonTimeout

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
    FAULTS: tuple[type[Exception], ...] = ()
else:
    # Errors of the library when the daemon breaks the protocol or does not answer.
    FAULTS = (
        DeserializationException,
        EventUnknownException,
        SessionException,
        KeyError,
        OSError,
        UnicodeDecodeError,
        struct.error,
    )

# In seconds. charon needs less for every command without a peer and without a name server.
ANSWER_TIMEOUT = 30.0
# In seconds. charon waits this time for unreachable name servers, with three in resolv.conf(5).
LOOKUP_TIMEOUT = 30.0
# In seconds, for the confirmation of a delete by the peer: about two retransmissions.
DELETE_TIMEOUT = 5.0


def available() -> bool:
    """Return whether the library is installed."""
    return vici is not None


class Vici:
    """A session with the IKE daemon, to be used in a ``with`` statement.

    ``connect`` returns the socket. ``timeout`` limits each command, in seconds. ``alive`` receives
    that limit before a command, and 0 after it. A command without a proper answer ends the
    session, and every further command fails.
    """

    def __init__(
        self,
        connect: t.Callable[[], socket.socket],
        *,
        timeout: float = ANSWER_TIMEOUT,
        alive: t.Callable[[float], None] = lambda _seconds: None,
    ) -> None:
        if vici is None:
            raise HostError(
                "connect to the IKE daemon",
                f"the Python library vici is not installed for {sys.executable}",
                "Install it with the role tunnelwright.ipsec.gateway, or with `pip install vici`.",
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
        """Return whether the session has ended, so that a new session is needed."""
        return bool(self._lost)

    @property
    def pid(self) -> int:
        """Return the process id of the daemon, or 0 if it is in another PID namespace."""
        return self._socket.listener()

    # Properties of the daemon

    def version(self) -> dict[str, str]:
        """Return ``daemon``, ``version``, ``sysname``, ``release`` and ``machine``."""
        return self._request("get the version of the IKE daemon", "version")

    def plugins(self) -> frozenset[str]:
        """Return the names of the loaded plugins. A running daemon keeps them."""
        return self._plugins

    @cached_property
    def _plugins(self) -> frozenset[str]:
        stats = self._request("get the plugins of the IKE daemon", "stats")
        return frozenset(stats.get("plugins", ()))

    def algorithms(self) -> dict[str, frozenset[str]]:
        """Return the algorithms by kind: ``{"encryption": {"AES_CBC", ...}, "ke": ...}``.

        Key exchange is ``ke``, the name in strongSwan 6, for every version. A running daemon keeps
        its algorithms.
        """
        return self._algorithms

    @cached_property
    def _algorithms(self) -> dict[str, frozenset[str]]:
        answer = self._request("get the algorithms of the IKE daemon", "get-algorithms")
        return {"ke" if kind == "dh" else kind: frozenset(names) for kind, names in answer.items()}

    def reload_settings(self) -> None:
        """Make the daemon read strongswan.conf again."""
        self._request("reload the settings of the IKE daemon", "reload-settings")

    # Loaded objects

    def connections(self, name: str | None = None) -> dict[str, dict[str, t.Any]]:
        """Return the loaded connections by name, or one connection, from any source.

        charon reports a part of each connection: no start actions, few lifetimes, and proposals
        from strongSwan 6.0.7 on.
        """
        message = {} if name is None else {"ike": name}
        events = self._stream("list the connections", "list-conns", "list-conn", message)
        return {key: section for event in events for key, section in event.items()}

    def connection_names(self) -> frozenset[str]:
        """Return the names of the connections that were loaded over vici."""
        answer = self._request("list the names of the connections", "get-conns")
        return frozenset(answer.get("conns", ()))

    def secrets(self) -> frozenset[str]:
        """Return the ids of the shared secrets. A secret without an id is not included."""
        answer = self._request("list the secrets", "get-shared")
        return frozenset(answer.get("keys", ()))

    def keys(self) -> frozenset[str]:
        """Return the ids of the private keys, in the form that ``load_key`` returns."""
        answer = self._request("list the private keys", "get-keys")
        return frozenset(answer.get("keys", ()))

    def authorities(self) -> dict[str, str]:
        """Return the subject of the CA for the name of each loaded section ``authorities``."""
        events = self._stream("list the authorities", "list-authorities", "list-authority", {})
        return {key: item["cacert"] for event in events for key, item in event.items()}

    def ca_certificates(self) -> frozenset[bytes]:
        """Return the certificates of CAs in DER, loaded ones and certificates from peers."""
        message, operation = {"type": "X509", "flag": "CA"}, "list the CA certificates"
        events = self._events(operation, "list-certs", "list-cert", message)
        return frozenset(item["data"] for item in events if item["flag"] == b"CA")

    def flush_certificates(self) -> None:
        """Make the daemon drop the certificates of peers. A peer sends its certificate again."""
        self._request("flush the certificates", "flush-certs", {"type": "X509"})

    # Live state

    def sas(self, name: str | None = None) -> tuple[IkeState, ...]:
        """Return the IKE SAs with their Child SAs in any state, of all connections or of one."""
        return tuple(IkeState.of(key, sa) for key, sa in self.sa_sections(name))

    def sa_sections(self, name: str | None = None) -> tuple[tuple[str, dict[str, t.Any]], ...]:
        """Return the name of the connection and the complete section of each IKE SA."""
        message = {} if name is None else {"ike": name}
        events = self._stream("list the SAs", "list-sas", "list-sa", message)
        return tuple(item for event in events for item in event.items())

    def policies(self, ike: str | None = None) -> tuple[PolicyState, ...]:
        """Return the trap, pass and drop policies that charon reports as installed."""
        message = {"trap": "yes", "pass": "yes", "drop": "yes"}
        if ike is not None:
            message["ike"] = ike
        events = self._stream("list the policies", "list-policies", "list-policy", message)
        return tuple(PolicyState.of(policy) for event in events for policy in event.values())

    # Load and unload

    def load_conn(self, name: str, section: Message) -> None:
        """Load or replace one connection, without waiting for the effects of its start actions.

        charon looks up the name of the peer before it answers, once per action of each child.
        """
        waits = LOOKUP_TIMEOUT * actions(section)
        self._request(f"load connection {name}", "load-conn", {name: section}, waits=waits)

    def unload_conn(self, name: str) -> bool:
        """Unload a connection and keep its SAs. Return whether the connection was loaded."""
        try:
            self._request(f"unload connection {name}", "unload-conn", {"name": name})
        except CommandRefused:
            if name in self.connection_names():
                raise
            return False
        return True

    def load_shared(
        self, id: str, owners: t.Sequence[str], data: bytes, *, kind: str = "IKE"
    ) -> None:
        """Load the secret ``data``, or replace the secret with this id. Without owners: any peer.

        ``kind`` is IKE for a PSK, EAP, XAUTH, NTLM or PPK, as in swanctl.conf.
        """
        message = {"id": id, "type": kind, "data": data, "owners": tuple(owners)}
        self._request(f"load secret {id}", "load-shared", message)

    def unload_shared(self, id: str) -> None:
        """Unload the secret with this id, if it is loaded."""
        self._request(f"unload secret {id}", "unload-shared", {"id": id})

    def try_authority(self, name: str, data: bytes) -> None:
        """Make the daemon validate the certificate of a CA, in PEM, and unload it again.

        The daemon trusts the CA between the two commands.
        """
        operation = "load a CA certificate"
        self._request(operation, "load-authority", {name: {"cacert": data}})
        self.unload_authority(name)

    def unload_authority(self, name: str) -> None:
        """Unload a section ``authorities``, and its CA unless that is also loaded otherwise."""
        self._request(f"unload authority {name}", "unload-authority", {"name": name})

    def load_key(self, data: bytes) -> str:
        """Load an unencrypted private key, in PEM or DER. Return its id, a digest of the key."""
        answer = self._request("load a private key", "load-key", {"type": "any", "data": data})
        return str(answer.get("id", ""))

    def unload_key(self, id: str) -> bool:
        """Unload a private key. Return whether the key was loaded."""
        try:
            self._request(f"unload private key {id}", "unload-key", {"id": id})
        except CommandRefused:
            if id in self.keys():
                raise
            return False
        return True

    # Negotiation

    def initiate(self, ike: str, child: str) -> None:
        """Start to initiate a child. ``sas`` shows the result."""
        message = {"ike": ike, "child": child, "timeout": "-1"}
        with contextlib.suppress(CommandRefused):
            # charon refuses to initiate an SA that is already up with the same values. It looks up
            # the name of the peer before it answers.
            operation = f"initiate {ike}/{child}"
            self._request(operation, "initiate", message, waits=LOOKUP_TIMEOUT)

    def rekey(self, ike: str, child: ChildState) -> None:
        """Start to rekey a Child SA. ``sas`` shows the result."""
        self._request(f"rekey {ike}/{child.name}", "rekey", {"child-id": child.uniqueid})

    # Termination and policies

    def terminate_ike(self, name: str, *, timeout: float = DELETE_TIMEOUT) -> None:
        """Close each IKE SA of a connection.

        After ``timeout`` seconds it does not wait for the confirmation of the peer any longer.
        """
        for sa in self.sas(name):
            self._terminate_ike(sa, timeout)

    def terminate_child(self, ike: str, child: str, *, timeout: float = DELETE_TIMEOUT) -> bool:
        """Close each Child SA of this name. Return whether an IKE SA was closed with one.

        charon cannot drop a Child SA if the peer does not confirm the delete. Then the whole IKE
        SA is closed after ``timeout`` seconds, because such an IKE SA does not work any more.
        """
        gone_too = False
        for sa in self.sas(ike):
            for item in sa.children:
                if item.name == child and not item.gone:
                    gone_too = not self._terminate_child(sa, item, timeout) or gone_too
        return gone_too

    def install(self, ike: str, child: str) -> None:
        """Install the trap or the shunt of a child in the kernel, even if charon has it already."""
        message = {"child": child, "ike": ike}
        self._request(f"install the policy of {ike}/{child}", "install", message)

    def uninstall(self, ike: str, child: str) -> bool:
        """Remove the trap, pass or drop policy of a child. Return whether it was installed."""
        try:
            self._request(
                f"uninstall the policy of {ike}/{child}", "uninstall", {"child": child, "ike": ike}
            )
        except CommandRefused:
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
        """Close an IKE SA. With ``force``, charon reports a failure after the wait for the peer."""
        message = {"ike-id": sa.uniqueid, "force": "yes", "timeout": str(round(timeout * 1000))}
        try:
            self._request(f"close the IKE SA of {sa.name}", "terminate", message, waits=timeout)
        except CommandRefused:
            if any(left.uniqueid == sa.uniqueid for left in self.sas(sa.name)):
                raise

    def _terminate_child(self, sa: IkeState, child: ChildState, timeout: float) -> bool:
        """Close a Child SA. Return whether its IKE SA stays."""
        message = {"child-id": child.uniqueid, "timeout": str(round(timeout * 1000))}
        operation = f"close the Child SA {sa.name}/{child.name}"
        try:
            self._request(operation, "terminate", message, waits=timeout)
        except CommandRefused:
            for left in self.sas(sa.name):
                if any(item.uniqueid == child.uniqueid and not item.gone for item in left.children):
                    # Without a wait: its delete would queue behind the unanswered delete.
                    self._terminate_ike(left, 0)
                    return False
        return True

    # Requests

    def _request(
        self,
        operation: str,
        command: str,
        message: Message | None = None,
        *,
        waits: float = 0.0,
    ) -> dict[str, t.Any]:
        """Return the answer. ``waits`` is the additional time of this command in seconds."""
        checked = encoded(operation, message or {})
        with self._speaking(operation, waits):
            return decode(self._session.request(command, checked))

    def _stream(
        self, operation: str, command: str, event: str, message: Message
    ) -> list[dict[str, t.Any]]:
        """Return the decoded events that the daemon sends before it ends the command."""
        return [decode(item) for item in self._events(operation, command, event, message)]

    def _events(
        self, operation: str, command: str, event: str, message: Message
    ) -> list[dict[str, t.Any]]:
        """Return the events that the daemon sends before it ends the command, as bytes."""
        checked = encoded(operation, message)
        with self._speaking(operation):
            return list(self._session.streamed_request(command, event, checked))

    @contextlib.contextmanager
    def _speaking(self, operation: str, waits: float = 0.0) -> t.Iterator[None]:
        """Limit the time of the block, and raise its failure as a failure of ``operation``."""
        if self._lost:
            why = f"the session with the IKE daemon has ended: {self._lost}"
            raise HostError(operation, why)
        self._alive(self._timeout + waits)
        self._socket.allow(self._timeout + waits)
        try:
            yield
            # The next wait of this run is not a wait for the daemon.
            self._alive(0)
        except CommandException as error:
            raise CommandRefused(operation, str(error).removeprefix("Command failed: ")) from error
        except FAULTS as error:
            # A late answer would count as the answer of the next command.
            self._socket.close()
            self._lost = _reason(error)
            kind = DaemonTimeout if isinstance(error, socket.timeout) else HostError
            raise kind(operation, self._lost) from error


class CommandRefused(HostError):
    """The daemon refused the command."""


def _reason(error: Exception) -> str:
    if isinstance(error, socket.timeout):
        return NO_ANSWER
    if isinstance(error, OSError):
        return f"the IKE daemon closed the connection: {error.strerror or error}"
    return f"the IKE daemon sent an invalid answer: {error}"
