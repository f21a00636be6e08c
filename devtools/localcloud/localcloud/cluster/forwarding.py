"""HTTP requests passed on to another server of this machine, streams included."""

import asyncio

import aiohttp
from aiohttp import web
from yarl import URL

_HOP_BY_HOP = {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "te"}


async def forward(
    request: web.BaseRequest, session: aiohttp.ClientSession, url: str, name: str
) -> web.StreamResponse:
    """Send the request to `url` and pass on the answer; `name` is for the messages.

    If the server cannot be reached, the answer is a 502. If it breaks off in the middle, the
    client's connection is broken too, so that half an answer never looks complete.
    """
    headers = {k: v for k, v in request.headers.items() if k.lower() not in _HOP_BY_HOP}
    response: web.StreamResponse | None = None
    try:
        async with session.request(
            request.method,
            URL(url, encoded=True),
            headers=headers,
            # Streamed, because a CRD is larger than aiohttp would buffer.
            data=request.content if request.can_read_body else None,
            allow_redirects=False,
        ) as answer:
            response = web.StreamResponse(status=answer.status, reason=answer.reason)
            for key, value in answer.headers.items():
                if key.lower() not in _HOP_BY_HOP:
                    response.headers.add(key, value)
            await response.prepare(request)
            async for chunk in answer.content.iter_any():
                await response.write(chunk)
            await response.write_eof()
            return response
    except aiohttp.ClientConnectionResetError:
        raise asyncio.CancelledError from None  # the client is gone
    except aiohttp.ClientConnectorError:
        return web.Response(status=502, text=f"{name} refuses the connection\n")
    except (aiohttp.ClientError, asyncio.IncompleteReadError) as error:
        if response is not None:
            raise  # part of the answer is sent: the client must see the connection break
        return web.Response(status=502, text=f"{name} broke off: {error}\n")
