from __future__ import annotations

from services.predictor.board import Board, View


def test_an_older_view_does_not_replace_a_newer_one() -> None:
    board = Board()
    newer = View(position=5)

    board.show(newer)
    board.show(View(position=4))

    assert board.view is newer


def test_a_view_of_the_same_position_replaces_it_since_pipelines_may_have_changed() -> None:
    board = Board()

    board.show(View(position=5))
    board.show(View(pipelines=frozenset({"demo"}), position=5))

    assert board.view.pipelines == {"demo"}


def test_a_board_has_begun_once_a_task_has_shown_anything() -> None:
    board = Board()

    assert not board.begun
    board.show(View())
    assert board.begun
