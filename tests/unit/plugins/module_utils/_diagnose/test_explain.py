# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Causes from single log lines. test_recorded.py has whole logs of both releases."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._diagnose.explain import (
    Attempt,
    Finding,
    explain,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import (
    PSK,
    PUBKEY,
    child,
    connection,
)

UP = "IKE_SA site-b[1] established between 192.0.2.1[a]...192.0.2.2[b]"
CHILD_UP = "CHILD_SA net{1} established with SPIs c1_i c2_o and TS 10.1.0.0/24 === 10.2.0.0/24"
GOT = "received packet: from 192.0.2.2[500] to 192.0.2.1[500] (36 bytes)"
SENT = "sending packet: from 192.0.2.1[500] to 192.0.2.2[500] (464 bytes)"
SENT_4500 = "sending packet: from 192.0.2.1[4500] to 192.0.2.2[4500] (464 bytes)"
THEY_GOT = "received packet: from 192.0.2.1[500] to 192.0.2.2[500] (464 bytes)"
THEY_SENT = "sending packet: from 192.0.2.2[500] to 192.0.2.1[500] (36 bytes)"
AUTH_FAILED = "received AUTHENTICATION_FAILED notify error"
AGAIN = "retransmit 1 of request with message ID 1"
UNTRUSTED = 'self-signed certificate "CN=old" is not trusted'
TRUSTED = "authentication of 'b' with RSA_EMSA_PKCS1_SHA2_256 successful"
REFUSED = "received TS_UNACCEPTABLE notify, no CHILD_SA built"


def found(*ours: str, theirs: t.Sequence[str] | None = None, **more: t.Any) -> Finding:
    made = child()
    attempt = Attempt(connection(made), made, ours, None if theirs is None else tuple(theirs))
    return explain(Attempt(**{**attempt.__dict__, **more}))


# strongSwan 6.0.1 initiates IKEv1, and 6.1.0 responds without IKEv1.
OLD = (
    "initiating Main Mode IKE_SA site-b[1] to 192.0.2.2",
    "generating ID_PROT request 0 [ SA V V V V V ]",
    "sending packet: from 192.0.2.1[500] to 192.0.2.2[500] (180 bytes)",
)
NEWER_ANSWER = (
    "received unencrypted informational: from 192.0.2.2[500] to 192.0.2.1[500]",
    "payload type NOTIFY was not encrypted",
    "could not decrypt payloads",
    "INFORMATIONAL response with message ID 0 processing failed",
    "sending retransmit 1 of request message ID 0, seq 1",
)
AT_THE_RESPONDER = (
    "generating INFORMATIONAL response 0 [ N(INVAL_MAJOR) ]",
    "sending packet: from 192.0.2.2[500] to 192.0.2.1[500] (36 bytes)",
    "received unsupported IKE version 1.0 from 192.0.2.1, sending INVALID_MAJOR_VERSION",
)


class TestIkev1:
    """One of the daemons was built without IKEv1."""

    def test_answer_of_the_peer(self) -> None:
        told = found(*OLD, *NEWER_ANSWER)
        assert told.cause.code == "ikev1_not_supported_at_peer"
        assert told.evidence == (f"ours: {NEWER_ANSWER[0]}",)

    @pytest.mark.parametrize(
        ("lines", "cause"),
        [
            # A peer that speaks IKEv1 has answered before.
            ((*OLD, GOT, *NEWER_ANSWER), "psk_mismatch"),
            # The message may be a connectivity check of a mediated connection of IKEv2.
            ((SENT, *NEWER_ANSWER[:2]), "no_answer"),
        ],
    )
    def test_other_answers(self, lines: tuple[str, ...], cause: str) -> None:
        assert found(*lines).cause.code == cause

    def test_log_of_the_peer(self) -> None:
        """The log of another daemon shows no answer, or the peer sends none."""
        old = connection(child(), key_exchange="ikev1")
        alone = found(*OLD, connection=old)
        assert alone.cause.code == "no_answer"
        assert "ikev1_not_supported_at_peer" in {item.code for item in alone.candidates}
        assert "ikev1_not_supported_at_peer" not in {item.code for item in found(SENT).candidates}
        other = "received packet: from 192.0.2.9[500] to 192.0.2.2[500] (464 bytes)"
        for theirs in (AT_THE_RESPONDER, (other, *AT_THE_RESPONDER, other)):
            both = found(*OLD, connection=old, theirs=theirs)
            assert both.cause.code == "ikev1_not_supported_at_peer"
            assert both.ours == "ikev1"
            assert f"theirs: {AT_THE_RESPONDER[2]}" in both.evidence

    def test_this_side_refuses_the_peer(self) -> None:
        """The log of the responder has the other addresses."""
        mirrored = [line.replace("192.0.2.1", "192.0.2.7") for line in AT_THE_RESPONDER]
        for initiates in (True, False):
            told = found(*mirrored, initiates=initiates)
            assert told.cause.code == "ikev1_not_supported"
        # The peer also has a connection of IKEv2.
        assert found(AUTH_FAILED, *mirrored).cause.code == "peer_refused_authentication"

    def test_seen_on_the_host(self) -> None:
        told = found(*OLD, seen="ikev1_not_supported")
        assert told.cause.code == "ikev1_not_supported"
        assert "6.0 or earlier" in told.cause.next_step


@pytest.mark.parametrize(
    ("lines", "cause"),
    [
        (("no shared key found for 'a' - 'b'",), "psk_missing"),
        (("IDir 'b' does not match to 'c'",), "peer_identity_mismatch"),
        (("unable to resolve gw.example, initiate aborted",), "gateway_unresolvable"),
        (("configured DH group NTRU_128 not supported",), "algorithm_unavailable"),
        (("KDF_PRF with PRF_AES128_XCBC not supported",), "algorithm_unavailable"),
        (("configured key exchange method ML_KEM_768 not supported",), "algorithm_unavailable"),
        (("invalid HASH_V1 payload length, decryption failed?",), "psk_mismatch"),
        # One garbled message on an established SA does not prove a wrong key.
        ((UP, "could not decrypt payloads"), "not_established"),
        (("received NO_PROPOSAL_CHOSEN notify error",), "peer_refused_phase1"),
        (("received NO_PROPOSAL_CHOSEN error notify",), "peer_refused_phase1"),
        ((UP, "received NO_PROPOSAL_CHOSEN error notify"), "peer_refused_phase2"),
        ((UP, CHILD_UP, "received NO_PROPOSAL_CHOSEN error notify"), "peer_refused_rekeying"),
        ((UP, "received INVALID_ID_INFORMATION error notify"), "peer_refused_selectors"),
        (("received INVALID_ID_INFORMATION error notify",), "peer_refused_authentication"),
        (("received TEMPORARY_FAILURE notify error",), "peer_refused"),
        ((SENT,), "no_answer"),
        ((SENT, "retransmit 1 of request with message ID 0"), "no_answer"),
        ((SENT, "sending retransmit 1 of request message ID 0, seq 1"), "no_answer"),
        ((SENT, GOT, SENT_4500, AGAIN), "no_answer_on_4500"),
        ((SENT, GOT, SENT, AGAIN), "no_answer_to_authentication"),
        (
            (SENT, GOT, SENT_4500, "sending retransmit 1 of request message ID 0, seq 3"),
            "no_answer_on_4500",
        ),
        ((CHILD_UP, "sending DPD request", "giving up after 5 retransmits"), "peer_dead"),
        ((UP, "received DELETE for IKE_SA site-b[1]"), "closed_by_peer"),
        # An earlier certificate is no cause when a later certificate of the peer is trusted.
        ((UNTRUSTED, TRUSTED, UP, REFUSED), "peer_refused_selectors"),
        ((TRUSTED, UNTRUSTED), "peer_certificate_untrusted"),
        (("nothing of interest",), "not_established"),
        ((), "not_established"),
    ],
)
def test_what_this_side_alone_can_say(lines: tuple[str, ...], cause: str) -> None:
    assert found(*lines).cause.code == cause


@pytest.mark.parametrize(
    "line",
    [
        "remote host is behind NAT",
        "local host is behind NAT, sending keep alives",
        "peer didn't accept DH group MODP_3072, it requested MODP_2048",
    ],
)
def test_routine_is_no_cause(line: str) -> None:
    assert found(GOT, line).cause.code == "not_established"


def test_the_last_line_counts() -> None:
    two = found("no shared key found for 'old' - 'b'", "no shared key found for 'new' - 'b'")
    assert (two.ours, two.theirs) == ("new", "b")


def test_of_another_time_is_nothing() -> None:
    """A failure is ignored when the tunnel was up after the failure."""
    assert found(AUTH_FAILED, CHILD_UP, "received DELETE for IKE_SA x").cause.code == (
        "closed_by_peer"
    )


def test_the_peers_log_settles_what_lies_behind() -> None:
    theirs = [THEY_GOT, "tried 1 shared key for 'b' - 'a', but MAC mismatched"]
    finding = found(SENT, AUTH_FAILED, theirs=theirs)
    assert finding.cause.code == "psk_mismatch"
    assert finding.evidence == (f"ours: {AUTH_FAILED}", f"theirs: {theirs[1]}")
    assert not finding.candidates


def test_what_can_not_lie_behind_is_not_believed() -> None:
    """A line of the peer is ignored when its cause is no candidate: it is of another attempt."""
    theirs = [THEY_GOT, "traffic selectors 10.0.0.0/8 === 10.1.0.0/24 unacceptable"]
    finding = found(SENT, AUTH_FAILED, theirs=theirs)
    assert finding.cause.code == "peer_refused_authentication"


def test_lines_about_another_peer_are_not_believed() -> None:
    theirs = [THEY_GOT.replace("0.2.1[", "0.2.9["), "no shared key found for 'b' - 'x'", THEY_GOT]
    finding = found(SENT, AUTH_FAILED, theirs=theirs)
    assert finding.cause.code == "peer_refused_authentication"


def proposals(ours: str, theirs: str) -> list[str]:
    return [
        f"received proposals: {ours}",
        f"configured proposals: {theirs}",
        "no acceptable proposal found",
    ]


ESP = "ESP:AES_CBC_256/HMAC_SHA2_256_128"


@pytest.mark.parametrize(
    ("ours", "theirs", "cause", "detail"),
    [
        (f"{ESP}/NO_EXT_SEQ", f"{ESP}/MODP_2048/NO_EXT_SEQ", "pfs_mismatch", ""),
        (f"{ESP}/NO_EXT_SEQ", "AH:HMAC_SHA1_96/NO_EXT_SEQ", "protocol_mismatch", ""),
        (
            f"{ESP}/NO_EXT_SEQ",
            "ESP:AES_GCM_16_256/NO_EXT_SEQ",
            "esp_proposal_mismatch",
            "No common value of: encryption, hash.",
        ),
    ],
)
def test_two_lists_of_proposals_are_compared(
    ours: str, theirs: str, cause: str, detail: str
) -> None:
    refused = "received NO_PROPOSAL_CHOSEN notify, no CHILD_SA built"
    finding = found(UP, refused, theirs=proposals(ours, theirs))
    assert (finding.cause.code, finding.ours, finding.theirs) == (cause, ours, theirs)
    assert finding.explanation.endswith(detail)


def test_behind_a_rekeying_lies_pfs() -> None:
    refused = "received NO_PROPOSAL_CHOSEN notify, no CHILD_SA built"
    assert found(refused, rekeyed=True).cause.code == "peer_refused_rekeying"
    lists = proposals(f"{ESP}/MODP_2048/NO_EXT_SEQ", f"{ESP}/MODP_4096/NO_EXT_SEQ")
    assert found(refused, theirs=lists, rekeyed=True).cause.code == "pfs_mismatch"


INIT = "parsed IKE_SA_INIT request 0 [ SA KE No ]"
AUTH = "parsed IKE_AUTH request 1 [ IDi AUTH SA TSi TSr ]"
MAIN = "parsed ID_PROT request 0 [ SA V V ]"
KEYS = "parsed ID_PROT request 0 [ KE No NAT-D NAT-D ]"
ENDS = "parsed ID_PROT request 0 [ ID HASH ]"
OTHERS = THEY_GOT.replace("192.0.2.1", "192.0.2.9")


@pytest.mark.parametrize(
    ("theirs", "cause"),
    [
        (None, "no_answer"),
        ([], "request_lost"),
        (["a log without packets"], "no_answer"),
        ([OTHERS, THEY_SENT], "request_lost"),
        ([THEY_GOT, INIT], "request_discarded_by_peer"),
        ([THEY_GOT, INIT, THEY_SENT], "answer_lost"),
        # The peer answered only the earlier attempt.
        ([THEY_GOT, INIT, THEY_SENT, THEY_GOT, INIT], "request_discarded_by_peer"),
    ],
)
def test_silence_has_a_direction(theirs: list[str] | None, cause: str) -> None:
    assert found(SENT, theirs=theirs).cause.code == cause


@pytest.mark.parametrize(
    ("theirs", "cause"),
    [
        ([], "no_answer_on_4500"),
        ([THEY_GOT, INIT, THEY_SENT], "udp_4500_blocked"),
        ([THEY_GOT, INIT, THEY_SENT, THEY_GOT, AUTH], "request_discarded_by_peer"),
        ([THEY_GOT, INIT, THEY_SENT, THEY_GOT, AUTH, THEY_SENT], "answer_lost"),
        ([THEY_GOT, MAIN, THEY_SENT, THEY_GOT, KEYS, THEY_SENT], "udp_4500_blocked"),
        (
            [THEY_GOT, MAIN, THEY_SENT, THEY_GOT, KEYS, THEY_SENT, THEY_GOT, ENDS],
            "request_discarded_by_peer",
        ),
    ],
)
def test_so_has_silence_after_the_first_answer(theirs: list[str], cause: str) -> None:
    assert found(SENT, GOT, SENT_4500, AGAIN, theirs=theirs).cause.code == cause
    if cause == "udp_4500_blocked":
        assert found(SENT, GOT, SENT, AGAIN, theirs=theirs).cause.code == "packets_lost"


def test_nat_leaves_open_whose_packets_the_peer_got() -> None:
    got = "received packet: from 9.9.9.9[500] to 8.8.8.8[500] (464 bytes)"
    assert found(SENT.replace("192.0.2.1", "10.0.0.1"), theirs=[got]).cause.code == "no_answer"


def test_a_search_by_identity_shows_what_we_have_sent() -> None:
    looking = "looking for peer configs matching 192.0.2.2[b]...192.0.2.1[a@example.org]"
    finding = found(SENT, AUTH_FAILED, theirs=[THEY_GOT, looking, "no matching peer config found"])
    assert (finding.cause.code, finding.ours) == (
        "identities_unknown_to_peer",
        "a@example.org, requesting b",
    )
    assert [item.code for item in finding.candidates] == [
        "our_identity_unknown",
        "peer_identity_mismatch",
    ]


def test_candidates_are_those_of_the_kind_of_connection() -> None:
    made = child()
    codes = {item.code for item in found(AUTH_FAILED).candidates}
    assert "psk_mismatch" in codes
    assert not {code for code in codes if "certificate" in code or "mode" in code}
    certified = connection(made, **PUBKEY)
    codes = {item.code for item in found(AUTH_FAILED, connection=certified).candidates}
    assert "our_certificate_revoked" in codes
    assert not {code for code in codes if code.startswith("psk")}


def test_what_was_seen_on_the_host_counts_for_more() -> None:
    assert found(SENT, seen="no_route").cause.code == "no_route"


def test_as_the_responder_sides_are_swapped() -> None:
    lists = proposals(f"{ESP}/NO_EXT_SEQ", f"{ESP}/MODP_2048/NO_EXT_SEQ")
    finding = found(*lists, initiates=False)
    assert (finding.cause.code, finding.ours) == ("pfs_mismatch", f"{ESP}/MODP_2048/NO_EXT_SEQ")
    unknown = "no IKE config found for 192.0.2.1...192.0.2.2, sending NO_PROPOSAL_CHOSEN"
    assert found(unknown, initiates=False).cause.code == "initiator_unknown"
    assert found("nothing", initiates=False).cause.code == "not_initiated_by_peer"


def test_no_secret_is_evidence() -> None:
    finding = found(f"{PSK} calculated HASH does not match HASH payload")
    assert PSK not in str(finding) + str(finding.to_result())
    assert finding.evidence == ("ours: ******** calculated HASH does not match HASH payload",)


def test_a_message_tells_everything_in_a_line() -> None:
    text = str(found(AUTH_FAILED))
    assert text.startswith("site-b/net: The peer answers that it could not authenticate this side")
    assert "[peer_refused_authentication]" in text
    assert "Candidates: psk_mismatch, psk_missing_at_peer" in text


class TestAdditionalKeyExchange:
    """A side with a round, and a peer without it: strongSwan 6.0.1, and 5.9.8, as responders."""

    REFUSED = "received NO_PROPOSAL_CHOSEN notify error"
    OPTION: t.ClassVar = {"dh_group": 31, "additional_key_exchange": [["mlkem768", "none"]]}
    BASE = "IKE:AES_GCM_16_256/PRF_HMAC_SHA2_384/CURVE_25519"

    @pytest.mark.parametrize("received", ["KE1_ML_KEM_768", "UNKNOWN_6_36/UNKNOWN_6_0"])
    def test_the_log_of_the_peer(self, received: str) -> None:
        told = found(
            self.REFUSED,
            theirs=[
                *proposals(f"{self.BASE}/{received}", self.BASE),
                "received proposals unacceptable",
            ],
        )
        assert told.cause.code == "ike_proposal_mismatch"
        assert "No common value of: additional key exchange 1. Set additional_key_exchange" in (
            told.explanation
        )

    def test_without_the_log_of_the_peer(self) -> None:
        with_round = connection(child(), encryption=[self.OPTION])
        told = found(self.REFUSED, connection=with_round)
        assert told.cause.code == "peer_refused_phase1"
        assert "has an additional key exchange, which the peer may lack" in told.explanation

    @pytest.mark.parametrize("entries", [[{"dh_group": 31}], [OPTION, {"dh_group": 31}]])
    def test_an_entry_without_a_round_is_no_reason(self, entries: t.Any) -> None:
        plain = connection(child(), encryption=entries)
        assert "additional" not in found(self.REFUSED, connection=plain).explanation
