"""The web server of a study: its page, its sounds, and where the answers go. Nothing of a request is kept."""

from __future__ import annotations

import io
import secrets
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from kelly_live.core.errors import KellyError
from kelly_live.core.page_messages import ServePage
from kelly_live.core.wording import quote_error
from kelly_live.lab.study.design import StudyDesign, find_sound, load_design
from kelly_live.lab.study.headphones import RATE, order_tones, render_trial
from kelly_live.lab.study.sessions import Session, StudySessions
from kelly_live.ui.page.access import HEADERS, Access
from kelly_live.ui.page.process import bind, describe_failure, list_hosts
from kelly_live.ui.page.responses import refuse, report_missing, send_file

STATIC = Path(__file__).with_name("static")
CONSENT = "consent.txt"  # in the study's folder
MAX_REQUEST_BYTES = 2000


class AnswerRequest(msgspec.Struct, frozen=True):
    """What the page sends after a trial."""

    listener: str
    position: int
    emotion: str
    valence: float
    arousal: float
    seconds: float
    plays: int


class BeginRequest(msgspec.Struct, frozen=True):
    """What the page sends first; `listener` where it was interrupted."""

    listener: str | None = None


def create_study_app(folder: Path, access: Access) -> Starlette:
    """Create the application of a study. Raises ConfigError."""
    design = load_design(folder)
    sessions = StudySessions(folder, design)
    tones = [render_tones(order) for order in order_tones(design.seed)]

    async def page(request: Request) -> Response:
        if (token := request.query_params.get("token")) is not None and access.may_look(token):
            response: Response = RedirectResponse("/", 303, HEADERS)
            response.set_cookie(access.cookie, token, httponly=True, samesite="strict")
            return response
        return send_file(STATIC / "study.html")

    async def asset(request: Request) -> Response:
        name = request.path_params["name"]
        return send_file(STATIC / name) if name in _ASSETS else report_missing()

    async def sound(request: Request) -> Response:
        name = request.path_params["name"]
        if name.startswith("tones-") and name[6:].isdigit() and 1 <= int(name[6:]) <= len(tones):
            return Response(tones[int(name[6:]) - 1], media_type="audio/wav", headers=HEADERS)
        if name in {stimulus.name for stimulus in (design.training, *design.stimuli)}:
            return FileResponse(find_sound(folder, name), media_type="audio/mpeg", headers=HEADERS)
        return report_missing()

    async def begin(request: Request) -> Response:
        asked = msgspec.json.decode(await _read_body(request), type=BeginRequest)
        return JSONResponse(
            describe_session(design, sessions.begin(asked.listener), _read_consent(folder)), 200, HEADERS
        )

    async def answer(request: Request) -> Response:
        given = msgspec.json.decode(await _read_body(request), type=AnswerRequest)
        position = sessions.answer(
            given.listener, given.position, emotion=given.emotion, valence=given.valence, arousal=given.arousal,
            seconds=given.seconds, plays=given.plays,
        )  # fmt: skip
        return JSONResponse({"position": position}, 200, HEADERS)

    handlers = {"/": page, "/static/{name}": asset, "/sounds/{name}": sound}
    routes = [Route(path, _guard(access, handler)) for path, handler in handlers.items()]
    posts = [
        Route(path, _guard(access, one), methods=["POST"]) for path, one in (("/begin", begin), ("/answer", answer))
    ]
    return Starlette(routes=[*routes, *posts])


def describe_session(design: StudyDesign, session: Session, consent: str) -> dict[str, Any]:
    """Return what the page needs to know; nothing tells it what a stimulus is meant to be."""
    checks = {check.name: check for check in design.checks}
    trials = [{"kind": trial.kind, "name": trial.name} for trial in session.trials]
    for trial in trials:
        if (check := checks.get(trial["name"])) is not None:
            trial |= {"emotion": check.emotion, "valence": str(check.valence), "arousal": str(check.arousal)}
    return {
        "title": design.title,
        "consent": consent,
        "listener": session.listener,
        "position": session.position,
        "emotions": list(design.emotions),
        "trials": trials,
    }


def render_tones(order: tuple[int, int, int]) -> bytes:
    """Return a trial of the headphone check as a WAV file."""
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, render_trial(order).T, RATE, format="WAV", subtype="PCM_16")
    return buffer.getvalue()


def serve_study(folder: Path, *, host: str, port: int, say: Callable[[str], object]) -> None:
    """Serve a study until Ctrl-C; `say` is told its address. Raises ConfigError, OSError that says what to change."""
    token = secrets.token_urlsafe(16)
    order = ServePage(host, port, token, token)
    try:
        listener = bind(order)
    except (OSError, OverflowError) as error:
        raise KellyError(describe_failure(order, error, prefix="--")) from error
    port = int(listener.getsockname()[1])
    access = Access(token, token, list_hosts(host, port), f"kelly_live_study_{port}")
    app = create_study_app(folder, access)
    shown = "127.0.0.1" if host in ("127.0.0.1", "0.0.0.0") else host
    say(f"the study: http://{shown}:{port}/?token={token}")
    uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", server_header=False)).run(sockets=[listener])


def _guard(
    access: Access, handler: Callable[[Request], Coroutine[Any, Any, Response]]
) -> Callable[[Request], Coroutine[Any, Any, Response]]:
    """Return a handler that refuses strangers, and says in a line what is wrong with a request."""

    async def guarded(request: Request) -> Response:
        token = request.query_params.get("token") or request.cookies.get(access.cookie)
        if not access.is_own(request.headers) or not access.may_look(token):
            return refuse("open the address that kelly-live prints")
        try:
            return await handler(request)
        except (KellyError, msgspec.MsgspecError, ValueError) as error:
            return JSONResponse({"error": quote_error(error)}, 400, HEADERS)

    return guarded


async def _read_body(request: Request) -> bytes:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MAX_REQUEST_BYTES:
            raise ValueError(f"a request has {MAX_REQUEST_BYTES} bytes at most")
    return body


def _read_consent(folder: Path) -> str:
    path = folder / CONSENT
    return path.read_text(encoding="utf-8") if path.is_file() else ""


_ASSETS = frozenset(path.name for path in STATIC.iterdir() if path.suffix != ".html")
