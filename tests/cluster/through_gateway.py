"""Sends chats through a gateway at a steady rate, with a key, and counts all of them."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count, cycle

import openai


@dataclass
class GatewayLoad:
    """Chats with models in turn; a request is lost unless its answer is exactly the expected one.

    No request is retried.
    """

    url: str
    key: str
    models: tuple[str, ...]
    per_second: float = 8.0
    sent: int = 0
    lost: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._client = openai.OpenAI(base_url=self.url, api_key=self.key, max_retries=0, timeout=60)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "GatewayLoad":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def summary(self) -> str:
        return f"{self.sent} sent, {len(self.lost)} lost"

    def _run(self) -> None:
        numbers, models = count(), cycle(self.models)
        # Leaving the pool waits for the outstanding answers.
        with ThreadPoolExecutor(32) as pool:
            while not self._ended.wait(1 / self.per_second):
                self.sent += 1
                pool.submit(self._ask, next(models), f"number {next(numbers)}")

    def _ask(self, model: str, text: str) -> None:
        try:
            answer = self._client.chat.completions.create(
                model=model, messages=[{"role": "user", "content": text}]
            )
        except openai.OpenAIError as error:
            self.lost.append(f"{model}: {error!r}"[:300])
            return
        found = answer.choices[0].message.content
        if found != f"{model}: {text}":
            self.lost.append(f"{model}: {found!r}")
