"""Questions: a distinct prompt for every number, whose one right answer is known."""

from providers.simulator.chat import reply_text


def question(number: int) -> str:
    """Return the prompt of one line or request."""
    return f"Order {number} came {number % 9} days late and one box was torn. Name the tone, then answer in one line."


def is_answer(text: object, number: int) -> bool:
    """Whether a text is the simulator's answer to this prompt."""
    return bool(text == reply_text(question(number)))
