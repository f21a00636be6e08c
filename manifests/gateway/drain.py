"""Writes the command that a pod runs before it is stopped: no request in progress is cut.

Envoy ends every stream at once when it is told to stop. So it is first told to drain, by a POST to
its admin interface (a preStop `httpGet` cannot post), and is stopped when nothing is in progress.
"""

from typing import Final

DRAIN_SECONDS: Final = 20
"""How long new connections are still taken: until every balancer knows that the pod goes."""

# Bash alone, as in Envoy's image: it has neither curl nor Python. `downstream_rq_active`, not
# `downstream_cx_active`: clients keep idle connections open for minutes.
_SCRIPT: Final = """
ask() {
  exec 3<>/dev/tcp/127.0.0.1/$1 || return 1
  printf '%s %s HTTP/1.1\\r\\nHost: drain\\r\\nConnection: close\\r\\n' "$2" "$3" >&3
  printf 'Content-Length: 0\\r\\n\\r\\n' >&3
  while IFS= read -r line <&3; do printf '%s\\n' "$line"; done
  exec 3>&-
}
ask PORT POST '/drain_listeners?graceful&skip_exit' >/dev/null || exit 0
sleep SECONDS
while true; do
  active=0
  while IFS=' ' read -r name value; do
    case "$name" in http.gateway.downstream_rq_active:) active="${value%$'\\r'}" ;; esac
  done < <(ask PORT GET '/stats?filter=^http.gateway.downstream_rq_active$')
  [ "$active" = 0 ] && exit 0
  sleep 1
done
"""


def drain_command(*, admin_port: int, seconds: int = DRAIN_SECONDS) -> list[str]:
    """The command; it ends when no request is in progress, `seconds` after its start or later."""
    script = _SCRIPT.replace("PORT", str(admin_port)).replace("SECONDS", str(seconds))
    return ["bash", "-c", script.strip()]
