"""The survey of all images agrees with what the images hold, whatever was done to them."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import numpy as np
import pytest

from engine.document.diff import Diff
from engine.document.records import Provenance
from engine.project import Project
from engine.project.facts import PROVENANCES, fill
from engine.project.statistics import SIZE_EDGES, ClassCount, statistics
from tests.engine.project.making import adding, drawn, ids, proposal, square


def rows_of(project: Project) -> list[tuple[int, int, str, float, float]]:
    """The survey as sorted rows: image, class, provenance, score (-1 for none), area."""
    found = project.survey()
    return sorted(
        (
            int(found.media_ids[found.image[n]]),
            int(found.class_ids[n]),
            str(PROVENANCES[found.provenance[n]]),
            -1.0 if math.isnan(found.scores[n]) else float(found.scores[n]),
            float(found.areas[n]),
        )
        for n in range(len(found.image))
    )


def rows_in_documents(project: Project) -> list[tuple[int, int, str, float, float]]:
    return sorted(
        (
            media_id,
            one.class_id,
            str(one.provenance),
            -1.0 if one.score is None else float(np.float32(one.score)),
            float(one.mask.area) if one.mask else 0.0,
        )
        for media_id in ids(project)
        for one in project.load(media_id).instances
    )


def test_that_the_survey_follows_edits_undo_proposals_and_batches(project: Project) -> None:
    random_ = random.Random(1)
    kinds = [project.ensure_class(name).id for name in ("a", "b")]
    for step in range(120):
        media_id = random_.choice(ids(project))
        document = project.load(media_id)
        match random_.randrange(6):
            case 0:
                new = drawn(random_.choice(kinds), random_.randrange(9))
                project.save(media_id, adding(new), name="Draw").result()
            case 1 if document.instances:
                old = random_.choice(document.instances)
                mask = square(side=random_.randrange(5, 9))
                changed = replace(
                    old, class_id=random_.choice(kinds), mask=mask, provenance=Provenance.CORRECTED
                )
                if changed != old:
                    project.save(media_id, Diff(updated={old.id: (old, changed)}), name="Brush").result()
            case 2 if document.instances:
                gone = random_.choice(document.instances)
                project.save(media_id, Diff(removed={gone.id: gone}), name="Delete").result()
            case 3:
                guesses = [proposal(random_.choice(kinds), score=random_.random()) for _ in range(3)]
                project.put_proposals(media_id, guesses, key="k", batch_id=str(step // 20))
            case 4:
                project.undo(media_id)
            case _:
                project.undo_batch(str(random_.randrange(step // 20 + 1)))
        assert rows_of(project) == rows_in_documents(project)
    kept = rows_of(project)
    assert kept
    project._write(fill)
    assert rows_of(project) == kept


def test_that_a_merged_class_is_counted_where_it_went(project: Project) -> None:
    one, other = (project.ensure_class(name).id for name in ("a", "b"))
    for media_id, class_id in zip(ids(project), (one, other, other), strict=True):
        project.save(media_id, adding(drawn(class_id)), name="Draw").result()
    assert project.survey().of_class([other]).use.images == 2
    project.merge_classes([one], other)
    assert project.survey().of_class([other]).use.images == 3
    assert project.survey().of_class([one]).use.instances == 0


def test_that_the_survey_of_some_images_is_that_part_of_the_whole(project: Project) -> None:
    class_id = project.ensure_class("a").id
    first, second, third = ids(project)
    for media_id in (first, second):
        project.save(media_id, adding(drawn(class_id)), name="Draw").result()
    assert project.survey([second, third]).media_ids.tolist() == [second]
    assert project.survey([]).use.instances == 0


def test_that_counts_and_scores_leave_out_the_proposals_below_the_slider(project: Project) -> None:
    class_id = project.ensure_class("a").id
    first, second, _ = ids(project)
    project.put_proposals(
        first, [proposal(class_id, score=s) for s in (0.125, 0.625, 0.75)], key="k", batch_id="b"
    )
    project.put_proposals(second, [proposal(class_id, score=0.25)], key="k", batch_id="b")
    project.save(second, adding(drawn(class_id)), name="Draw").result()
    found = project.survey()
    assert found.counts.tolist() == [3, 2]
    seen = found.seen_at(0.5)
    assert seen.counts.tolist() == [2, 1]
    assert seen.best.tolist()[0] == 0.75
    assert seen.worst.tolist()[0] == 0.625
    assert math.isnan(seen.best[1])


@pytest.mark.parametrize(
    ("clear", "doubtful"),
    [
        ((0.99,), (0.6,)),
        ((0.95, 0.95), (0.95, 0.55)),
        # What every image has at the bottom must not drown the doubt at the top, nor make any.
        ((0.97, *[0.06] * 30), (0.55, *[0.06] * 30)),
    ],
)
def test_that_an_image_of_doubtful_proposals_is_more_uncertain(
    project: Project, clear: tuple[float, ...], doubtful: tuple[float, ...]
) -> None:
    class_id = project.ensure_class("a").id
    for media_id, scores in zip(ids(project), (clear, doubtful), strict=False):
        proposals = [proposal(class_id, score=score) for score in scores]
        project.put_proposals(media_id, proposals, key="k", batch_id="b")
    less, more = project.survey().uncertainty
    assert 0.0 <= less < more <= 1.0


def test_that_what_a_person_has_settled_is_not_uncertain(project: Project) -> None:
    class_id = project.ensure_class("a").id
    media_id = ids(project)[0]
    settled = replace(drawn(class_id), score=0.5, provenance=Provenance.ACCEPTED)
    project.save(media_id, adding(settled), name="Accept").result()
    assert np.isnan(project.survey().uncertainty).all()


def test_that_a_survey_brought_up_to_date_is_the_new_one(project: Project) -> None:
    class_id = project.ensure_class("a").id
    first, second, third = ids(project)
    gone = drawn(class_id)
    project.save(first, adding(gone), name="Draw").result()
    project.save(third, adding(drawn(class_id)), name="Draw").result()
    old = project.survey()
    project.save(first, Diff(removed={gone.id: gone}), name="Delete").result()
    project.save(second, adding(drawn(class_id), drawn(class_id)), name="Draw").result()
    fresh = old.replaced([first, second], project.survey([first, second]))
    assert fresh.media_ids.tolist() == project.survey().media_ids.tolist() == [second, third]
    assert fresh.counts.tolist() == [2, 1]


def test_that_statistics_count_by_class_and_size(project: Project) -> None:
    few, many = (project.ensure_class(name).id for name in ("few", "many"))
    first, second, _ = ids(project)
    project.put_proposals(first, [proposal(few), proposal(many)], key="k", batch_id="b")
    large = replace(drawn(many), mask=square(side=40))
    project.save(first, adding(large), name="Draw").result()
    project.save(second, adding(drawn(many)), name="Draw").result()
    found = statistics(project.survey())
    assert found.classes == (ClassCount(many, 2, 1, 2), ClassCount(few, 0, 1, 1))
    assert dict(zip(SIZE_EDGES, found.sizes, strict=True))[4] == (1, 2)
    assert dict(zip(SIZE_EDGES, found.sizes, strict=True))[32] == (1, 0)
    assert statistics(project.survey([])).classes == ()
