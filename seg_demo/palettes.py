"""The classes and colours of the data sets this project knows, as those data sets publish them."""

from __future__ import annotations

from seg_demo.classes import ClassMap, Color, distinct_colors


def _table(text: str) -> ClassMap:
    """Read "name:rrggbb name:rrggbb ..."; an underscore in a name stands for a space."""
    pairs = [entry.split(":") for entry in text.split()]
    names = tuple(name.replace("_", " ") for name, _ in pairs)
    colors = ((red, green, blue) for red, green, blue in (bytes.fromhex(color) for _, color in pairs))
    return ClassMap(names, tuple(colors))


def _voc_color(class_id: int) -> Color:
    """The VOC development kit's colour of an id: its bits, three at a time, become the high bits of R, G, B."""
    red = green = blue = 0
    for bit in range(7, -1, -1):
        red |= (class_id & 1) << bit
        green |= (class_id >> 1 & 1) << bit
        blue |= (class_id >> 2 & 1) << bit
        class_id >>= 3
    return red, green, blue


_VOC_NAMES = (
    "background aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse "
    "motorbike person pottedplant sheep sofa train tvmonitor"
).split()

VOC_COLORS = tuple((red << 16) | (green << 8) | blue for red, green, blue in map(_voc_color, range(256)))
"""0xRRGGBB of each id, which LabelMe, CVAT and many others use for classes of any name."""

VOC = ClassMap(tuple(_VOC_NAMES), tuple(_voc_color(class_id) for class_id in range(21)))
"""PASCAL VOC 2012 (Everingham et al. 2010), 21 classes."""

CITYSCAPES = _table("""
    road:804080 sidewalk:f423e8 building:464646 wall:66669c fence:be9999 pole:999999
    traffic_light:faaa1e traffic_sign:dcdc00 vegetation:6b8e23 terrain:98fb98 sky:4682b4 person:dc143c
    rider:ff0000 car:00008e truck:000046 bus:003c64 train:005064 motorcycle:0000e6 bicycle:770b20
""")
"""Cityscapes (Cordts et al. 2016), the 19 evaluated classes in train-id order."""

CAMVID = _table("""
    sky:808080 building:800000 pole:c0c080 road:804080 pavement:0000c0 tree:808000 sign_symbol:c08080
    fence:404080 car:400080 pedestrian:404000 bicyclist:0080c0
""")
"""CamVid (Brostow et al. 2009) in the 11 classes of SegNet (Badrinarayanan et al. 2017)."""

ADE20K = _table("""
    wall:787878 building:b47878 sky:06e6e6 floor:503232 tree:04c803 ceiling:787850 road:8c8c8c
    bed:cc05ff windowpane:e6e6e6 grass:04fa07 cabinet:e005ff sidewalk:ebff07 person:96053d earth:787846
    door:08ff33 table:ff0652 mountain:8fff8c plant:ccff04 curtain:ff3307 chair:cc4603 car:0066c8
    water:3de6fa painting:ff0633 sofa:0b66ff shelf:ff0747 house:ff09e0 sea:0907e6 mirror:dcdcdc
    rug:ff095c field:7009ff armchair:08ffd6 seat:07ffe0 fence:ffb806 desk:0aff47 rock:ff290a
    wardrobe:07ffff lamp:e0ff08 bathtub:6608ff railing:ff3d06 cushion:ffc207 base:ff7a08 box:00ff14
    column:ff0829 signboard:ff0599 chest_of_drawers:0633ff counter:eb0cff sand:a09614 sink:00a3ff
    skyscraper:8c8c8c fireplace:fa0a0f refrigerator:14ff00 grandstand:1fff00 path:ff1f00 stairs:ffe000
    runway:99ff00 case:0000ff pool_table:ff4700 pillow:00ebff screen_door:00adff stairway:1f00ff
    river:0bc8c8 bridge:ff5200 bookcase:00fff5 blind:003dff coffee_table:00ff70 toilet:00ff85
    flower:ff0000 book:ffa300 hill:ff6600 bench:c2ff00 countertop:008fff stove:33ff00 palm:0052ff
    kitchen_island:00ff29 computer:00ffad swivel_chair:0a00ff boat:adff00 bar:00ff99
    arcade_machine:ff5c00 hovel:ff00ff bus:ff00f5 towel:ff0066 light:ffad00 truck:ff0014 tower:ffb8b8
    chandelier:001fff awning:00ff3d streetlight:0047ff booth:ff00cc television_receiver:00ffc2
    airplane:00ff52 dirt_track:000aff apparel:0070ff pole:3300ff land:00c2ff bannister:007aff
    escalator:00ffa3 ottoman:ff9900 bottle:00ff0a buffet:ff7000 poster:8fff00 stage:5200ff van:a3ff00
    ship:ffeb00 fountain:08b8aa conveyer_belt:8500ff canopy:00ff5c washer:b800ff plaything:ff001f
    swimming_pool:00b8ff stool:00d6ff barrel:ff0070 basket:5cff00 waterfall:00e0ff tent:70e0ff
    bag:46b8a0 minibike:a300ff cradle:9900ff oven:47ff00 ball:ff00a3 food:ffcc00 step:ff008f tank:00ffeb
    trade_name:85ff00 microwave:ff00eb pot:f500ff animal:ff007a bicycle:fff500 lake:0abed4
    dishwasher:d6ff00 screen:00ccff blanket:1400ff sculpture:ffff00 hood:0099ff sconce:0029ff
    vase:00ffcc traffic_light:2900ff tray:29ff00 ashcan:ad00ff fan:00f5ff pier:4700ff crt_screen:7a00ff
    plate:00ffb8 monitor:005cff bulletin_board:b8ff00 shower:0085ff radiator:ffd600 glass:19c2c2
    clock:66ff00 flag:5c00ff
""")
"""ADE20K scene parsing (Zhou et al. 2017), 150 classes; "road" and "skyscraper" share a colour there too."""

# The photos come with coloured masks of the two species only; the one colour of the binary task is ours.
NEWTS_BINARY = ClassMap(("background", "newt"), ((0, 0, 0), distinct_colors(2)[1]))
NEWTS_SPECIES = ClassMap(("background", "akahara", "madara"), ((0, 0, 0), (127, 0, 0), (0, 127, 0)))
"""Newt photos of the Deep Learning Mugen Knock: red-bellied (akahara) and marbled (madara) newts."""

# Published as grey levels 0-4, without colours.
SKYDIVING = ClassMap.of("no label", "person", "airplane", "ground", "sky")

CLASS_MAPS: dict[str, ClassMap] = {
    "voc": VOC,
    "cityscapes": CITYSCAPES,
    "camvid": CAMVID,
    "ade20k": ADE20K,
    "newts-binary": NEWTS_BINARY,
    "newts-species": NEWTS_SPECIES,
    "skydiving": SKYDIVING,
}
