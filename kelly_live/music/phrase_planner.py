"""Plans the session's phrases one after the other: their keys and their chords."""

from __future__ import annotations

from dataclasses import replace

from kelly_live.core.sync_state import KeyEstimate
from kelly_live.core.values import RHYTHMS, MusicParameters, Scale
from kelly_live.music.arc_plan import ArcPlan, PlannedForm
from kelly_live.music.chord_sheet import ChordSheet
from kelly_live.music.context import MusicContext
from kelly_live.music.form_plan import FormPlan, Slot
from kelly_live.music.forms import choose_form
from kelly_live.music.groove import find_groove
from kelly_live.music.harmony import Phrase, choose_theme_mode, plan_closing_phrase, plan_phrase
from kelly_live.music.randomness import rng_for
from kelly_live.music.ritardando import compute_tempo_share
from kelly_live.music.sheet_harmony import apply_sheet
from kelly_live.music.style.scale import adapt_to_phrase, choose_harmonic_scale
from kelly_live.music.synchronization import SynchronizedKey, round_tempo
from kelly_live.music.theory import NOTE_NAMES, Key, build_mode_scale

_BUSY_DENSITY = 1.5  # from here on, chords may change twice a bar


class PhrasePlanner:
    """Plans phrases, and holds the one in force.

    `tonic` is the band's own. The chords are those of a `sheet`, if there is one. `form` is one of FORM_NAMES; None:
    that of the groove that the session begins with. With `length_bars` the last bar is the closing one. A `plan` gives
    the tempo, and the phrases if it has any. Raises ConfigError. Thread: the conductor's.

    Attributes:
        upcoming: The next phrase and its rhythm, as `list_chords` expects them in the last bar of one.
    """

    def __init__(
        self,
        *,
        seed: int,
        tonic: int,
        length_bars: int | None,
        form: str | None = None,
        sheet: ChordSheet | None = None,
        plan: ArcPlan | None = None,
    ) -> None:
        self._seed = seed
        self._sheet = sheet
        self._plan_of_arc = plan
        self._form_name = form
        opening = choose_form("", length_bars=length_bars)
        self._form: FormPlan | PlannedForm = FormPlan(form or opening, seed=seed, length_bars=length_bars)
        self._tonic = tonic
        self._length_bars = length_bars
        self._beats_per_bar = 4
        self._synchronized = SynchronizedKey()
        self._phrase: Phrase | None = None
        self._key: Key | None = None
        self._is_busy = False
        self._groove = ""
        self._is_mode_locked = False
        self._locked_scale: Scale | None = None
        self._locked_rhythm: str | None = None
        self.upcoming: tuple[Phrase, str] | None = None

    @property
    def is_synchronized(self) -> bool:
        """Whether the band plays in the key of a player or a recording."""
        return self._synchronized.key is not None

    @property
    def mode(self) -> str:
        """The name of the scale in force; empty before the first phrase."""
        return self._key.scale.name if self._key else ""

    @property
    def tonic(self) -> str:
        """The name of the tonic in force."""
        return self._key.tonic_name if self._key else NOTE_NAMES[self._tonic]

    @property
    def form(self) -> str:
        """The name of the form."""
        return self._form.name

    def start(self, parameters: MusicParameters) -> None:
        """Take the form of the groove, unless another one was given; in a tradition's style its phrases are square."""
        name = self._form_name or choose_form(parameters.groove, length_bars=self._length_bars)
        is_square = parameters.style is not None
        if self._plan_of_arc is not None and self._plan_of_arc.slots is not None:
            self._form = PlannedForm(self._plan_of_arc.slots)
            return
        self._form = FormPlan(name, seed=self._seed, length_bars=self._length_bars, is_square=is_square)

    def reset(self, beats_per_bar: int, *, keep_key: bool) -> None:
        """Forget the phrase in force; without `keep_key`, also the key that the band was synchronized to."""
        self._form.reset()
        self._beats_per_bar = beats_per_bar
        self._phrase = self._key = None
        if not keep_key:
            self._synchronized = SynchronizedKey()

    def find_half(self, bar: int) -> tuple[int, bool]:
        """Find a bar's phrase by its number, and whether the bar lies in the phrase's second half."""
        return self._form.find_half(bar)

    def lock(self, *, mode: bool, rhythm: str | None) -> None:
        """Keep the scale in force in every key to come (`mode`), and play in this one of RHYTHMS; None: neither."""
        self._is_mode_locked, self._locked_rhythm = mode, rhythm
        self._locked_scale = self._locked_scale if self._key is None else self._key.scale

    def choose_tempo(self, beat: float, parameters: MusicParameters) -> float:
        """Return the band's own tempo at a beat, in BPM: that of the arc's plan, else as the parameters say."""
        if self._plan_of_arc is not None:
            return self._plan_of_arc.tempo.bpm_at(beat)
        return round_tempo(parameters.tempo.suggested * self._compute_tempo_share(beat, parameters))

    def _compute_tempo_share(self, beat: float, parameters: MusicParameters) -> float:
        """Return the share of the tempo that is played at a beat; music without an end keeps its tempo."""
        if self._length_bars is None:
            return 1.0
        slot, per_bar = self._form.find_slot(int(beat // self._beats_per_bar)), self._beats_per_bar
        leads_on = slot.following.starts and not slot.leads_home
        return compute_tempo_share(
            parameters,
            beat,
            closing_beat=float((self._length_bars - 1) * per_bar),
            section_end=float((slot.start_bar + slot.bars) * per_bar) if leads_on else None,
        )

    def choose_phrase(
        self,
        bar: int,
        beat: float,
        parameters: MusicParameters,
        estimate: KeyEstimate | None,
        intensity: float = 0.0,
    ) -> Phrase:
        """Return the phrase that a bar belongs to, as it is played from `beat` on.

        A new one is planned at its first bar, at the bar that a skip landed on, and where the key changes inside a
        phrase, the rest of which is then played as if it had been in the new key all along. An open form turns where
        the `intensity` has moved (music/form_plan.py).
        """
        phrase = self._phrase
        begins = phrase is None or not phrase.start_bar <= bar < phrase.start_bar + phrase.bars
        self._synchronized = self._synchronized.step(
            beat, estimate, phrase_starts=begins, bar_starts=beat == bar * self._beats_per_bar
        )
        slot = self._form.enter(bar, intensity) if begins else self._form.find_slot(bar)
        key = self._choose_key(parameters, slot)
        if phrase is None or begins or key != self._key:
            if begins:
                self._is_busy = parameters.density >= _BUSY_DENSITY
                self._groove = parameters.groove
            phrase = self._plan(slot, key, parameters)
        self._key, self._phrase = key, phrase
        return phrase

    def choose_closing_phrase(self, bar: int, parameters: MusicParameters) -> Phrase:
        """Return the closing bar, in the key in force."""
        phrase = self._phrase
        if phrase is None or phrase.start_bar != bar or phrase.bars != 1:
            self._key = self._key or self._choose_key(parameters, self._form.find_slot(bar))
            phrase = self._plan_closing_phrase(bar, self._key)
        self._phrase = phrase
        return phrase

    def preview_phrase(self, phrase: Phrase, bar: int, parameters: MusicParameters, closing_bar: int | None) -> Phrase:
        """Return the phrase that a coming bar will probably belong to, which may be the one in force."""
        if bar == closing_bar and self._key is not None:
            return self._plan_closing_phrase(bar, self._key)
        if phrase.start_bar <= bar < phrase.start_bar + phrase.bars:
            return phrase
        slot = self._form.find_slot(bar)
        return self._plan(slot, self._choose_key(parameters, slot), parameters)

    def preview_bar(
        self,
        context: MusicContext,
        bar: int,
        parameters: MusicParameters,
        closing_bar: int | None,
        *,
        is_compound: bool,
    ) -> MusicContext:
        """Return the context that a coming bar will probably have."""
        phrase = self.preview_phrase(context.phrase, bar, parameters, closing_bar)
        rhythm = "triplet" if is_compound else self.choose_rhythm(phrase, parameters)
        return replace(context, phrase=phrase, rhythm=rhythm, closing=bar == closing_bar)

    def list_chords(
        self, phrase: Phrase, bar: int, parameters: MusicParameters, closing_bar: int | None
    ) -> tuple[tuple[float, str], ...]:
        """List the beats and names of the chords from a bar to the end of the next one."""
        start, end, next_bar = float(bar * self._beats_per_bar), float((bar + 2) * self._beats_per_bar), bar + 1
        spans, self.upcoming = list(phrase.spans), None
        if phrase.end_beat < end and (closing_bar is None or next_bar <= closing_bar):
            following = self.preview_phrase(phrase, next_bar, parameters, closing_bar)
            self.upcoming = following, self.choose_rhythm(following, parameters)
            spans += following.spans
        return tuple((s.start_beat, s.chord.name) for s in spans if start < s.end_beat and s.start_beat < end)

    def choose_rhythm(self, phrase: Phrase, parameters: MusicParameters) -> str:
        """Choose one of RHYTHMS for the whole band.

        It is the groove's, or is drawn once for each theme (in the arc, for each half of one), half a turn apart for
        its contrasting parts; the heavier rhythms are favoured.
        """
        own = self._locked_rhythm or find_groove(parameters.groove).rhythm
        if own:
            return own
        role = phrase.role
        draw = rng_for(self._seed, "rhythm", role.theme if role.section else role.repeat).random()
        draw = (draw + 0.5 * role.is_contrast) % 1.0
        squares = [weight * weight for weight in parameters.rhythms]
        below = 0.0
        for name, square in zip(RHYTHMS, squares, strict=True):
            below += square / sum(squares)
            if draw < below:
                return name
        return RHYTHMS[-1]

    def _plan_closing_phrase(self, bar: int, key: Key) -> Phrase:
        slot = self._form.find_slot(bar)
        return plan_closing_phrase(slot.number, key, slot.role.theme, start_bar=bar, beats_per_bar=self._beats_per_bar)

    def _plan(self, slot: Slot, key: Key, parameters: MusicParameters) -> Phrase:
        phrase = plan_phrase(
            self._seed,
            slot.number,
            key,
            start_bar=slot.start_bar,
            beats_per_bar=self._beats_per_bar,
            bars=slot.bars,
            role=slot.role,
            preceding=slot.preceding,
            following=slot.following,
            busy=self._is_busy,
            leads_home=slot.leads_home,
            modes=None if self.is_synchronized else parameters.modes,
            groove=find_groove(self._groove),
        )
        return phrase if self._sheet is None else apply_sheet(self._sheet, phrase)

    def _choose_key(self, parameters: MusicParameters, slot: Slot) -> Key:
        """Choose the key of a phrase.

        It is a style's scale, or a key that is followed, or one mode by its theme's share of the modes. The tonic of a
        key that was followed stays, and so does a mode that is locked.
        """
        key = self._choose_free_key(parameters, slot)
        if not self._is_mode_locked:
            return key
        self._locked_scale = self._locked_scale or key.scale
        return Key(key.tonic, self._locked_scale)

    def _choose_free_key(self, parameters: MusicParameters, slot: Slot) -> Key:
        followed, parameters = self._synchronized, adapt_to_phrase(parameters, self._seed, slot.number)
        tonic = self._tonic if followed.tonic is None else followed.tonic
        style_scale = choose_harmonic_scale(parameters.style) if parameters.style is not None else None
        if followed.key is not None and style_scale is None and parameters.scale is None:
            return Key(tonic, build_mode_scale(followed.key.mode))
        mode = choose_theme_mode(self._seed, slot.role.theme, parameters.modes)
        return Key(tonic, style_scale or parameters.scale or build_mode_scale(mode))
