import pytest

from any3dis_ros.errors import InputError
from any3dis_ros.io.rosbag.topics import ImageTopic, choose_images, choose_info

RGB, Z = "camera_rgb_optical_frame", "camera_depth_optical_frame"


def chosen(topics, color="", depth=""):
    images = [ImageTopic(*topic) for topic in topics]
    return tuple(image.name for image in choose_images(images, color, depth))


@pytest.mark.parametrize(
    ("what", "topics", "expected"),
    [
        (
            "realsense",
            [
                ("/camera/color/image_raw", "rgb8", RGB),
                ("/camera/depth/image_rect_raw", "16UC1", Z),
                ("/camera/aligned_depth_to_color/image_raw", "16UC1", RGB),
                ("/camera/infra1/image_rect_raw", "mono8", Z),
                ("/camera/infra2/image_rect_raw", "mono8", Z),
            ],
            ("/camera/color/image_raw", "/camera/aligned_depth_to_color/image_raw"),
        ),
        (
            "kinect",
            [
                ("/camera/rgb/image_color", "bayer_grbg8", RGB),
                ("/camera/rgb/image_rect_color", "rgb8", RGB),
                ("/camera/depth/image", "32FC1", Z),
                ("/camera/depth_registered/image_raw", "16UC1", RGB),
            ],
            ("/camera/rgb/image_rect_color", "/camera/depth_registered/image_raw"),
        ),
        (
            "compressed only",
            [
                ("/cam/rgb/image/compressed", "rgb8; jpeg compressed bgr8", RGB),
                ("/cam/depth/image/compressedDepth", "16UC1; compressedDepth png", RGB),
            ],
            ("/cam/rgb/image/compressed", "/cam/depth/image/compressedDepth"),
        ),
        (
            "raw before compressed",
            [
                ("/cam/rgb/image/compressed", "jpeg", RGB),
                ("/cam/rgb/image", "rgb8", RGB),
                ("/cam/depth/image", "16UC1", RGB),
                ("/cam/depth/image/compressedDepth", "16UC1; compressedDepth", RGB),
            ],
            ("/cam/rgb/image", "/cam/depth/image"),
        ),
        (
            "no telling names",
            [("/a", "bgr8", RGB), ("/b", "32FC1", Z)],
            ("/a", "/b"),
        ),
        (
            "stereo with depth in the frame of the left",
            [
                ("/zed/left/image_rect_color", "bgra8", "left"),
                ("/zed/right/image_rect_color", "bgra8", "right"),
                ("/zed/depth/depth_registered", "32FC1", "left"),
            ],
            ("/zed/left/image_rect_color", "/zed/depth/depth_registered"),
        ),
        (
            "infrared of 16 bits",
            [
                ("/rgb/image_raw", "bgra8", RGB),
                ("/ir/image_raw", "mono16", Z),
                ("/ir/image_rect", "16UC1", RGB),
                ("/depth/image_raw", "16UC1", Z),
            ],
            ("/rgb/image_raw", "/depth/image_raw"),
        ),
        (
            "an overlay drawn by a detector",
            [
                ("/cam/color/image_raw", "rgb8", RGB),
                ("/detector/debug/image_color", "rgb8", RGB),
                ("/cam/depth/image_raw", "16UC1", RGB),
            ],
            ("/cam/color/image_raw", "/cam/depth/image_raw"),
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_guessed_as_a_person_would(what, topics, expected):
    assert chosen(topics) == expected
    assert chosen(topics[::-1]) == expected


TWO = [
    (f"/{side}/{kind}/image_raw", encoding, side)
    for side in ("front", "rear")
    for kind, encoding in (("color", "rgb8"), ("depth", "16UC1"))
]


def test_two_cameras_are_for_the_user_to_choose():
    with pytest.raises(InputError) as caught:
        chosen(TWO)
    assert all(topic in str(caught.value) for topic, _, _ in TWO)
    assert chosen(TWO, color="/rear/color/image_raw") == ("/rear/color/image_raw", "/rear/depth/image_raw")
    assert chosen(TWO, depth="/front/depth/image_raw") == ("/front/color/image_raw", "/front/depth/image_raw")


def test_a_base_name_finds_its_transport():
    topics = [("/c/image/compressed", "jpeg", RGB), ("/d/image/compressedDepth", "16UC1; compressedDepth", RGB)]
    assert chosen(topics, "/c/image", "/d/image") == ("/c/image/compressed", "/d/image/compressedDepth")


@pytest.mark.parametrize(
    ("topics", "options", "message"),
    [
        (TWO, {"color": "/nowhere"}, "no image on '/nowhere'; it has '/front/color/image_raw'"),
        ([("/c", "rgb8", RGB)], {}, r"no depth images .*its images are '/c \(rgb8\)'"),
        ([("/d", "16UC1", RGB)], {}, "no colour images"),
        ([], {}, "its images are none"),
    ],
)
def test_what_is_missing_is_named(topics, options, message):
    with pytest.raises(InputError, match=message):
        chosen(topics, **options)


@pytest.mark.parametrize(
    ("infos", "wanted", "expected"),
    [
        ({"/cam/rgb/camera_info": RGB, "/cam/depth/camera_info": Z}, "", "/cam/rgb/camera_info"),
        ({"/cam/rgb/camera_info": RGB, "/other": RGB}, "/other", "/other"),
        ({"/info": RGB, "/depth_info": Z}, "", "/info"),
        ({"/info": RGB, "/info2": RGB}, "", None),
        ({"/depth_info": Z}, "", None),
    ],
)
def test_camera_info_by_neighbourhood_then_by_frame(infos, wanted, expected):
    assert choose_info(ImageTopic("/cam/rgb/image_raw/compressed", "jpeg", RGB), infos, wanted) == expected


def test_unknown_camera_info():
    with pytest.raises(InputError, match="no camera_info on '/x'; it has '/info'"):
        choose_info(ImageTopic("/c", "rgb8", RGB), {"/info": RGB}, "/x")
