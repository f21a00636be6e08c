"""Writes how the gateway ends TLS with the certificate of a Secret.

By SDS, from a watched file: Envoy reads a certificate that the listener itself names only once.
"""

from typing import Any, Final

from manifests.gateway.places import CERTIFICATE_FILE, Places
from manifests.gateway.typed import resources, typed, watched_source

CERTIFICATE: Final = "certificate"


def certificate_file(places: Places) -> str:
    """The text of the file that names the certificate's own files."""
    folder = places.certificate
    return resources(
        typed(
            "extensions.transport_sockets.tls.v3.Secret",
            name=CERTIFICATE,
            tls_certificate={
                "certificate_chain": {"filename": f"{folder}/tls.crt"},
                "private_key": {"filename": f"{folder}/tls.key"},
                "watched_directory": {"path": folder},
            },
        )
    )


def tls_socket(places: Places) -> dict[str, Any]:
    """The part of the listener's filter chain that ends TLS."""
    return {
        "transport_socket": {
            "name": "tls",
            "typed_config": typed(
                "extensions.transport_sockets.tls.v3.DownstreamTlsContext",
                common_tls_context={
                    "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
                    "alpn_protocols": ["h2", "http/1.1"],
                    "tls_certificate_sds_secret_configs": [
                        {
                            "name": CERTIFICATE,
                            "sds_config": watched_source(places.watched, CERTIFICATE_FILE),
                        }
                    ],
                },
            ),
        }
    }
