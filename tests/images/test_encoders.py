"""Encoders have the weights they claim, or say that they have none."""

import numpy as np
import pytest
import torch

from compendium.errors import BadInput
from compendium.images import encoders
from compendium.images.features import Encoding, encode, features, six_colours
from conftest import tiny_section


def test_lite0_has_the_packaged_networks_logits_on_real_patches(her2st):
    from efficientnet_lite_pytorch import EfficientNet

    from compendium.data.readers import slides

    image = slides.read_slide(next(her2st.glob("data/ST-imgs/C/C2/*.jpg"))).image
    centres = np.array([[4000, 4000], [5000, 5500], [6000, 4500]], dtype=np.float32)
    tiles = encoders.normalise(
        torch.from_numpy(slides.cut_tiles(image, centres, 224)), encoders.FROZEN
    )
    packaged = EfficientNet.from_pretrained(
        "efficientnet-lite0", weights_path=str(encoders.lite0_file())
    ).eval()
    ours = encoders.encoder(encoders.FROZEN, num_classes=1000).eval()
    with torch.inference_mode():
        torch.testing.assert_close(ours(tiles), packaged(tiles), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "weights", "says"),
    [
        ("densenet999", "", "unknown encoder"),
        ("densenet121.no_such_tag", "", "unknown encoder"),
        (encoders.FROZEN, "/nowhere/weights.pth", "no weights file"),
    ],
)
def test_what_is_not_there_is_an_error(name, weights, says):
    with pytest.raises(BadInput, match=says) as error:
        encoders.encoder(name, weights)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "content", [b"hello" * 50, b"", {"network": "no weights"}, "another network's"]
)
def test_a_file_that_is_not_of_the_network_is_one_line(content, tmp_path):
    path = tmp_path / "w.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(
            encoders.encoder("test_vit.r160_in1k", "random").state_dict()
            if isinstance(content, str)
            else content,
            path,
        )
    with pytest.raises(BadInput, match="is not of encoder test_resnet.r160_in1k") as error:
        encoders.encoder("test_resnet.r160_in1k", str(path))
    assert "\n" not in str(error.value)
    assert encoders.missing("test_resnet.r160_in1k", str(path)) == str(error.value)


def test_a_file_that_lacks_one_tensor_is_refused_whatever_its_initial_value(tmp_path):
    state = encoders.encoder("test_resnet.r160_in1k", "random").state_dict()
    lacking = next(key for key in state if key.endswith("bn1.bias"))  # starts as zeros
    torch.save({key: value for key, value in state.items() if key != lacking}, tmp_path / "w.pth")
    with pytest.raises(BadInput, match=f"1 of {len(state)} tensors are not in it, first {lacking}"):
        encoders.encoder("test_resnet.r160_in1k", str(tmp_path / "w.pth"))


def test_an_object_in_a_pickle_is_not_run(tmp_path):
    class Malign:
        def __reduce__(self):
            return pytest.fail, ("unpickled",)

    torch.save({"conv1.weight": Malign()}, tmp_path / "w.pth")
    with pytest.raises(BadInput, match="is not of encoder") as error:
        encoders.encoder("test_resnet.r160_in1k", str(tmp_path / "w.pth"))
    assert "\n" not in str(error.value)


def test_what_is_missing_is_said_without_a_download(monkeypatch, tmp_path):
    import huggingface_hub
    import timm

    monkeypatch.setattr(timm, "create_model", lambda *a, **k: pytest.fail("asked for weights"))
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda source, file: None)
    assert "resnet50.tv_in1k are not here" in encoders.missing("resnet50.tv_in1k")
    assert "unknown encoder" in encoders.missing("resnet999")
    assert "no weights file" in encoders.missing("resnet50.tv_in1k", str(tmp_path / "w.pth"))
    monkeypatch.setattr(
        huggingface_hub,
        "try_to_load_from_cache",
        lambda source, file: f"/cache/{file}" if source == "timm/resnet50.tv_in1k" else None,
    )
    assert encoders.missing("resnet50.tv_in1k") == ""


def test_the_packaged_encoder_is_not_missing():
    assert encoders.missing(encoders.FROZEN) == ""


def test_missing_weights_are_never_random(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import timm

    def refuse(name, pretrained=False, **options):
        assert pretrained
        raise OSError("no network")

    monkeypatch.setattr(timm, "create_model", refuse)
    with pytest.raises(BadInput, match="give weights=FILE"):
        encoders.encoder("resnet50.tv_in1k")


def test_a_weights_file_is_used(tmp_path):
    torch.manual_seed(0)
    first = encoders.encoder("test_resnet.r160_in1k", "random")
    torch.save(first.state_dict(), tmp_path / "w.pth")
    again = encoders.encoder("test_resnet.r160_in1k", str(tmp_path / "w.pth"))
    assert all(
        torch.equal(a, b)
        for a, b in zip(first.state_dict().values(), again.state_dict().values(), strict=True)
    )


def test_features_are_computed_once(home, monkeypatch):
    section = tiny_section(spots=4)
    first = features(section, encoders.FROZEN, 64)
    assert first.shape == (4, 1280)
    np.testing.assert_array_equal(first, encode(section, Encoding(encoders.FROZEN, 64)))
    monkeypatch.setattr(
        "compendium.images.features.encode", lambda *a: pytest.fail("computed again")
    )
    np.testing.assert_array_equal(features(section, encoders.FROZEN, 64), first)


def test_six_colours_are_mean_and_spread():
    section = tiny_section()
    tile = section.stored_tiles[3].astype(float)
    np.testing.assert_allclose(
        six_colours(section, 64)[3], [*tile.mean((0, 1)), *tile.std((0, 1))], rtol=1e-5
    )


@pytest.mark.parametrize("scale", encoders.SCALES)
@pytest.mark.parametrize("name", ["", encoders.FROZEN])
def test_scaled_tiles_can_be_had_back(scale, name):
    tiles = torch.from_numpy(tiny_section(spots=3).stored_tiles.copy())
    assert torch.equal(encoders.unscaled(encoders.scaled(tiles, scale, name), scale, name), tiles)
