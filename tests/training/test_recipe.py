"""A recipe says what is wrong with it: the file, the key, and what may stand there."""

import re
from pathlib import Path

import pytest

from edge.errors import ConfigError
from training.recipe import Recipe, RowRecipe, Writers, find, load

ROOT = Path(__file__).parents[2]
RECIPES = ROOT / "configs" / "recipes"


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.name)
def test_the_recipes_that_come_with_the_project_are_recipes_named_after_their_files(path: Path) -> None:
    assert load(path).name == path.stem


def test_what_a_recipe_does_not_say_is_as_the_defaults_are(tmp_path: Path) -> None:
    recipe = load(written(tmp_path, 'name = "small"\nepochs = 3\n[mix]\npairs = 5\n[network]\nwidth = 8\n'))
    assert (recipe.name, recipe.epochs, recipe.mix.pairs, recipe.network.width) == ("small", 3, 5, 8)
    assert recipe.mix.mnist == Recipe(name="x").mix.mnist and recipe.seed == 1
    assert recipe.mix.total == Recipe(name="x").mix.total - Recipe(name="x").mix.pairs + 5


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('name = "x"\nepoch = 3', "epoch"),
        ('name = "x"\n[mix]\nmnits = 3', "mix.mnits"),
        ('name = "x"\n[optimizer]\nrate = 1', "optimizer"),
        ('name = "x"\nepochs = "many"', "epochs"),
        ('name = "x"\nepochs = 0', "epochs"),
        ('name = "x"\nepochs = 2.5', "epochs"),
        ('name = "x"\nvalidation = 1.5', "validation"),
        ('name = "x"\n[mix]\nmnist = 0', "mix.mnist"),
        ('name = "x"\n[mix]\npairs = -1', "mix.pairs"),
        ('name = "x"\n[network]\ndropout = "half"', "network.dropout"),
        ('name = "x"\n[optimiser]\nrate = 0', "optimiser.rate"),
        ('name = "x"\nmix = 3', "mix"),
        ('name = "x"\n[network]\nfamily = "resnet"', "network.family"),
        ('name = "x"\n[network]\nfamily = "mlp"\nwidth = 3', "network.width"),
        ('name = "x"\n[network]\nsize = 8', "network.size"),
        ('name = "x"\n[network]\nchannels = 2', "network.channels"),
        ('name = "x"\n[optimiser]\nkind = "lion"', "optimiser.kind"),
        ('name = "x"\n[optimiser]\nschedule = "steps"', "optimiser.schedule"),
        ('name = "x"\n[optimiser]\naverage = 1', "optimiser.average"),
        ('name = "x"\n[loss]\nkind = "distillation"', "loss"),
        ('name = "x"\n[loss]\nteacher = "digits.onnx"', "loss"),
        ('name = "x"\n[adversarial]\nepsilon = 2', "adversarial.epsilon"),
        ('name = "x"\n[augment]\nrotate = 2', "augment.rotate"),
        ('name = "x"\n[augment]\nrotation = 270', "augmentation.rotation"),
        ('name = "x"\ngrowth = [0]', "growth.0"),
        ('name = "x"\npatience = 0', "patience"),
        ("epochs = 3", "name"),
        ('name = "../elsewhere"', "name"),
        ('name = ""', "name"),
    ],
)
def test_a_wrong_key_or_value_is_named(tmp_path: Path, text: str, key: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as error:
        load(path)
    said = str(error.value)
    assert said.startswith(f"{path}: {key}: ") and "\n" not in said and error.value.exit_code == 78


@pytest.mark.parametrize("text", ["name = ", "[mix\n", 'name = "x"\nname = "y"', "\x00", "just words"])
def test_what_is_no_toml_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as error:
        load(path)
    assert str(error.value).startswith(f"{path}: not TOML") and "\n" not in str(error.value)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_bytes(b'name = "\xff\xfe"')
    with pytest.raises(ConfigError, match="not TOML"):
        load(path)


def test_a_missing_recipe_points_to_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="configs/recipes") as error:
        load(tmp_path / "none.toml")
    assert str(tmp_path / "none.toml") in str(error.value)
    with pytest.raises(ConfigError):
        load(tmp_path)


def test_the_hash_tells_recipes_apart_by_what_they_say(tmp_path: Path) -> None:
    one = load(written(tmp_path, 'name = "x"\nepochs = 3'))
    same = load(written(tmp_path, '# a remark\nepochs = 3\nname = "x"\nseed = 1'))
    other = load(written(tmp_path, 'name = "x"\nepochs = 4'))
    assert one.sha256 == same.sha256 != other.sha256 and len(one.sha256) == 64


def test_a_kind_of_writer_that_came_later_leaves_the_hash_of_recipes_without_it_as_it_was() -> None:
    plain = RowRecipe(reads="rows", name="rows")
    assert plain.sha256 == "8bcd60631521e9c68e6e472efc70c105483233975eaf6c1dca56347100c4454f"
    assert set(plain.model_dump()["writers"]) == {"mnist", "hands", "strokes", "fonts"}
    for kind in ("cells", "displays"):
        asked = plain.model_copy(update={"writers": Writers(**{kind: 0.1})})
        assert asked.sha256 != plain.sha256
        assert RowRecipe.model_validate_json(asked.model_dump_json()) == asked
    assert RowRecipe.model_validate_json(plain.model_dump_json()) == plain
    half = plain.model_copy(update={"optimiser": plain.optimiser.model_copy(update={"begun": 0.5})})
    assert half.sha256 != plain.sha256 and RowRecipe.model_validate_json(half.model_dump_json()) == half


@pytest.mark.parametrize(
    "more",
    [
        'growth = [1, 2]\npatience = 3\nkeep_every = 2\nfolder = "letters"',
        '[network]\nfamily = "mlp"\nhidden = [30, 20]',
        "[network]\nsize = 32\nchannels = 3",
        '[optimiser]\nkind = "sgd"\nschedule = "step"\nevery = 3\nclip = 1.0\naccumulate = 2\nprecision = "bfloat16"',
        '[loss]\nkind = "hybrid"\nsmoothing = 0.1',
        "[augment]\nrotation = 10\nelastic = 0.5",
        "[adversarial]\nshare = 0.5",
    ],
)
def test_what_a_recipe_says_changes_its_hash_and_comes_back_from_a_checkpoint(tmp_path: Path, more: str) -> None:
    plain, asked = load(written(tmp_path, 'name = "x"')), load(written(tmp_path, f'name = "x"\n{more}'))
    assert asked.sha256 != plain.sha256
    assert Recipe.model_validate_json(asked.model_dump_json()) == asked


def test_recipes_are_found_by_name_and_files_by_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find("lenet5") == RECIPES / "lenet5.toml"
    path = written(tmp_path, 'name = "x"')
    assert find(str(path)) == path
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lenet5").write_text('name = "mine"')
    assert load(find("lenet5")).name == "mine"
    with pytest.raises(ConfigError, match=r"nothing: recipe cannot be read .* there are .*digitcnn"):
        load(find("nothing"))


@pytest.mark.parametrize("card", sorted((ROOT / "edge" / "models").glob("*.md")), ids=lambda path: path.name)
def test_a_models_card_names_the_hash_of_its_recipe(card: Path) -> None:
    recipe, sha256 = re.search(r"\| recipe \| `(.+)`, sha256 ([0-9a-f]{16}) \|", card.read_text("utf-8")).groups()
    assert load(ROOT / recipe).sha256.startswith(sha256)
