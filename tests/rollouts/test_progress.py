"""What is said while a rollout goes on."""

from rollouts.progress import ModelState, Pod, Progress, Seen

OLD, NEW = "llm-old", "llm-new"
RUNS = ModelState(status="RUNNING")


def pod(cluster: str, group: str, *, ready: bool = True, awaits: bool = False) -> Pod:
    return Pod(cluster=cluster, group=group, is_ready=ready, awaits_node=awaits)


def seen(
    *pods: Pod, active: str = OLD, pending: str = "", known: bool = True, **models: ModelState
) -> Seen:
    return Seen(active=active, pending=pending, models=models, pods=pods if known else None)


def test_a_second_cluster_is_followed_from_its_start_to_the_end_of_the_first() -> None:
    progress = Progress()
    old = pod(OLD, "l4")
    steps = (
        seen(old, pod(NEW, "head", ready=False), pending=NEW),
        seen(old, pod(NEW, "head"), pod(NEW, "l4", ready=False, awaits=True), pending=NEW),
        seen(
            old, pod(NEW, "head"), pod(NEW, "l4"), pending=NEW, chat=ModelState(status="DEPLOYING")
        ),
        seen(old, pod(NEW, "head"), pod(NEW, "l4"), pending=NEW, chat=RUNS),
        seen(old, pod(NEW, "head"), pod(NEW, "l4"), active=NEW, chat=RUNS),
        seen(pod(NEW, "head"), pod(NEW, "l4"), active=NEW, chat=RUNS),
    )
    assert [progress.lines(step, second) for second, step in enumerate(steps)] == [
        (f"Ray cluster {NEW} starts beside {OLD}.", f"Ray cluster {NEW}: 0 of 1 pods are ready"),
        (f"Ray cluster {NEW}: 1 of 2 pods are ready; no node has room yet for 1 of l4",),
        (f"Ray cluster {NEW}: 2 of 2 pods are ready", "chat: deploying"),
        ("chat: runs",),
        (f"Ray cluster {NEW} answers now. KubeRay removes {OLD} in a minute.",),
        (f"Ray cluster {OLD} is gone.",),
    ]


def test_the_same_is_said_once_and_then_every_half_minute() -> None:
    progress = Progress()
    now = seen(pod(NEW, "l4", ready=False, awaits=True), pending=NEW)
    assert progress.lines(now, 0)
    assert [second for second in range(1, 100) if progress.lines(now, second)] == [30, 60, 90]


def test_a_service_that_runs_is_not_spoken_of_again() -> None:
    progress = Progress()
    assert progress.lines(seen(pod(OLD, "l4"), chat=RUNS), 0) == ("chat: runs",)
    assert not any(progress.lines(seen(pod(OLD, "l4"), chat=RUNS), at) for at in range(1, 200))


def test_a_message_that_only_counts_on_is_no_news() -> None:
    progress = Progress()
    states = [
        ModelState(status="DEPLOYING", message=f"1 replica has taken {n} s to start")
        for n in (30, 60)
    ]
    assert progress.lines(seen(chat=states[0]), 0)
    assert progress.lines(seen(chat=states[1]), 1) == ()


def test_a_failure_is_said_in_serves_words_on_one_short_line() -> None:
    state = ModelState(status="DEPLOY_FAILED", message="CUDA error:\nout of memory " + "x" * 500)
    [line] = Progress().lines(seen(chat=state), 0)
    assert line.startswith("chat: deploy failed, CUDA error: out of memory x")
    assert len(line) < 240
    assert "\n" not in line


def test_without_the_right_to_list_pods_it_says_so_once() -> None:
    progress = Progress()
    first = progress.lines(seen(pending=NEW, known=False), 0)
    assert first[-1] == "You may not list pods, so it is not said for which nodes a model waits."
    assert progress.lines(seen(pending=NEW, known=False), 1) == ()
    assert progress.lines(seen(pending=NEW, known=False), 40) == (
        f"Ray cluster {NEW} does not answer yet (40 s)",
    )


def test_a_model_without_a_replica_is_not_said_to_run() -> None:
    progress = Progress()
    asleep = ModelState(status="RUNNING", asleep=True)
    [line] = progress.lines(seen(chat=asleep), 0)
    assert line == "chat: has no replica, and loads on request"
    assert progress.lines(seen(chat=RUNS), 1) == ("chat: runs",)
