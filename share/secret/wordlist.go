package secret

// wordText is 2048 plain words of three to eight small letters, sorted: 11 bits each. The list is part of the format
// (docs/shares.md §7): both ends of an invite must show the same words.
const wordText = `
abacus abbey acorn acrobat actor aerial age agile airship alarm album alchemy alder alley almond alpaca amber anchor
ancient angle ankle answer ant antelope antenna anthem antler anvil apple apricot apron aqueduct arc arcade arch
archery arena arm armour armoury aroma arrow arsenal artist ash ask aspen aster athlete atlas atom attic auction auger
aunt autumn avenue avocado awning axe axle azure baboon baby back bacon badge badger bag baggage bagpipe bake baker
bakery balance balcony ballast ballet balloon ballot bamboo banana bandage bandit banjo bank banner banquet barber
bargain barge bark barley barn baron barracks barrel barrow basalt basil basin basket bassoon bastion bat bathtub
battery bauble bauxite bay bazaar beach beacon beagle beak beaker beam bean beaver bed bedroom bee beehive beer beetle
begonia beige belfry bell bellboy bellows belt bench bend bicycle bilge bill binder biplane birch birthday biscuit
bishop bison bitter bittern black blanket bleach blind blossom blouse blue bluebell blunt boat bobbin bodice bog boil
bold bolt bone bonfire bonnet bonsai book bookcase boom boot border borough bosun bottle bouquet bow bowl box boxing
bracelet bracket brain bramble branch brass brave bream breath breeze brewery brick bridge brigade bright brim broad
bronze brooch brook broom broth brother brow brown brush bubble bucket buckle bud budget budgie buffalo bugle build
bulb bull bulwark bun bungalow bunker buoy burdock burlap burrow bus bush busy butcher butler butter button buzzard
byre cab cabbage cabin cabinet cable cactus cafe cake calendar calf call calm camel camelia camera camp can canal
canary candle candy cane canoe canteen cantor canvas canyon cap cape capstan capsule captain car caramel caravan
carbon card cardigan cargo carousel carp carpet carriage carrot carry cart carton carve cascade cashew casket castle
cat catch cavalry cave cavern cedar celery cellar cello cement centre century ceramic chain chair chalet chalk chamber
channel chapel chapter charcoal charger chariot chart chase cheek cheerful cheese cheetah cherry cherub chess chest
chestnut chew chick chicken chicory child chimney chin chisel chive choir chop chorus chowder chrome church cider
cinder cinema circle circus cistern citadel city clam clamp clap clarinet claw clay clean cleat clerk clever cliff
climb clinic clip clipper cloak clock cloister close cloth cloud clove clover clown clumsy coach coal coast coaster
coat cobalt cobble cobbler cobra cockle cockpit cocoa coconut cocoon cod coffee coin cold collage collar college colon
column comb comet comfort comma common compass comrade concert condor conduit cone confetti cook cookie cool coop coot
copper copy coral cordial corn corner cornet corral cosmos cottage cotton couch cougar cough council count counter
county courier cousin cove cover cow cowslip coyote crab cracker cradle crag crane crank crate crater crawl crayon
cream crest crevice cricket crimson crocus crooked croquet crossbow crow crowbar crown cruise crumb crumpet crush
crust crutch crystal cub cube cuckoo cucumber cuff cuisine culvert cumin cup cupboard curd cure curlew curtain curve
curved custard customs cut cutlass cutlet cutter cycling cyclone cymbal cypress daffodil dagger dahlia dairy daisy
dale dam damask damp dance dancer dark dash date dawn debate debris decade decanter deck deep defender delta den denim
dentist depot deputy desert desk dessert detour dial dialect diamond diary dice dill dime dinghy dinner diploma discus
dish distance ditch divan dive dock doctor dog doll dollar dolphin dome domino donkey door doormat doorstep dot double
dough dove dowry dozen drag dragon drake drapery draw drawer drawing dream dress dresser drill drive driver drizzle
drop drought drum dry ducat duck duke dulcimer dull dune dusk duster dustpan dusty dwelling dynamo eagle ear early
earring earth easel east easter echo eclair eclipse edge effort egg egret eight elbow elegant elephant eleven elixir
elk ellipse elm embassy ember emerald empire empty emu enamel engine engraver ensign epic equation era eraser errand
escort essay estuary even evening ewe exam exhibit eye fable fabric face factory faience falcon fanfare farm farmer
farmyard father fathom faucet fawn feast feather felt fen fence fencing fender fennel fern ferret ferry ferryman
fiddle field fifty fig figurine filbert file fill film fin finch find finger fire firth fisher fist five fjord flag
flagpole flame flannel flask flat flax fleece flint flipper float flood floor florin florist flotilla flotsam flounce
flute fly foal foam fog fold folder foliage follow foot footnote footpath forehead forest forge fork formula fort
forty fossil four fox foxglove fraction frame freckle freight fresco fresh friend frigate fritter frog front frost
froth frown fruit fry fudge fuel fugue funny furnace furrow gable galaxy gale gallery galley gallop gambit game gander
gangway gannet garage garden gargoyle garland garlic garnet gas gather gavel gaze gazebo gazelle gazette gear gecko
gentle geranium geyser gherkin giant gift gill ginger gingham giraffe girder glacier glad glance glass glazier glen
glide glider glimmer glitter globe glossary glove glue gnat gnome goal goat goblet goblin gold golf gondola goose
gorge gorilla gosling gourd gown granary grandeur grandma grandpa granite grape graph grass gravel gravy grebe green
greet grey griddle griffin grill grind grip grocer grommet groove grotto grouse grove guard guest guide guitar gulf
gull gully gulp gust gutter gypsum habit hacksaw haddock half halibut halo halter halyard ham hamlet hammer hammock
hamster hand handle hangar happy harbour hard harmony harness harp harpoon harvest hat hatband hatch hatchet hawk
hawser hayloft haystack haze hazel hazelnut head hearing heart hearth heath heather heavy hedge hedgehog helmet helper
hem hen herald hermit heron herring hiccup hickory hide hill hillock hinge hip hippo history hive hobby hockey hoe
hoist hold holiday hollow holly homework honest honey hood hoof hook hoopoe hop horizon horn hornet hose hospital host
hostel hostess hot hotel hound hour hover huge hull hummock humour hundred hunter hurdle hut hyena hymn hyphen ibis
ice iceberg icicle icing icy idea igloo iguana index ink inkwell inn inner insect invoice iris iron island isthmus
italic ivory ivy jackal jackdaw jacket jackpot jade jaguar jar jasmine jasper javelin jay jelly jester jetty jib
jigsaw jockey joiner joker jolly journey jubilee judge jug juggler juice jump jumper junction jungle juniper kaftan
kayak keel kennel kerosene kestrel kettle keyboard kick kid kidney kiln kimono kind kindling king kingdom kinsman
kiosk kitchen kite kitten kiwi knapweed knee kneecap knife knit knoll knuckle koala kumquat label lace lacquer ladder
ladle lady ladybird lagoon lair lake lamb lamp lance land lane lantern laptop larch larder large lark latch late
lather laugh laurel lava lavender lawn lawyer lazy leaf leaflet leap leather lecture ledge ledger left leg legend
lemon lemur lens lentil leopard lesson letter lettuce lever library lichen lid lifeboat lift light lilac lily lilypad
lime limerick linden line linen linnet lintel lion lip liquid listen little liver lizard llama loaf lobby lobster loch
lock locket locust lodge lodger long loom loop lord lorry lotus loud lower loyal lucky luggage lullaby lumber lunch
lung lute lynx lyric mackerel magenta magnet magnolia magpie mahogany mallet mallow mango manor mansion manual map
maple marathon marble margin marker market maroon marsh mascot mason mast mat matador match mattress mayfly mayor
meadow meander measure melody melon memory mend mentor menu merchant mercury mermaid merry mesa metal meteor middle
midge midnight mildew milk mill miller million mine mineral mint minute mirage mirror mitten mix mixture mizzen moat
moccasin modem modern modest mole molecule moment monarch monk monocle monsoon month moon moonbeam moorhen moose mop
moraine morning morsel mortal mortar mosaic moss moth mother motor mound mountain mouse mousse mouth mow muddy muffin
muffler mug mulberry mule mural museum muslin mustang mustard muzzle mystery myth nail nap napkin narrow nation nature
navel navy neat neck nectar needle nephew nerve nest net nettle neutron new newt nibble nickel niece nimble nine noble
nod nomad noodle noon north nougat novel novice nozzle nugget number nurse nursery nut nuthatch nutmeg oak oasis
oatmeal oats obelisk oboe ocean octave octopus odd office old olive omelette onion onward onyx opal open opera oracle
orange orbit orchard orchid oregano organ origin oriole ornament osprey ostrich otter ounce outer outline oval oven
owl oyster packet paddle paddock page pagoda paint paintbox painter pajama palace pale palette palm pamphlet pan
pancake panda panel panther pantry papaya paper papyrus parade parasol parcel parrot parsley parsnip part passage
pasta paste pastel pastry pasture patch path patio patron pavement paw pea peach peacock peanut pearl peat pebble
pecan pedal pedlar peep pelican pen pencil pendant pendulum penguin pennant penny peony pepper perch perfume pergola
petal petrel petrol pharmacy phoenix photo photon phrase piano piccolo pick pickle picnic pie pig pigeon piglet
pigment pigtail pike pilgrim pillar pillow pilot pin pinafore pine pink pinwheel pipe pirate pit pitch pitcher pizza
placard planet plank plankton plant plasma plaster plate plateau platinum platter plaza pliers plough plover plug
plumber plume pocket poem point polish polite polka pond pony poodle poplar poppy porch porpoise porridge port porter
portrait possum post pot potato potter pottery pouch prairie prawn preface present press pretzel price priest prince
print printer prism promise proton proud province prune puck puffin pull pulley pump pumpkin pupil puppet puppy purple
purse push putty puzzle pyramid python quail quarry quarter quartz queen quick quiet quilt quince quiver quote rabbit
raccoon racket radio radish raft rail railway rain rainbow raincoat raisin rake ram ramp ranch rapid rapids rare rasp
rat raven ravine raw ray razor reap receipt recipe record red reef region reindeer relish remedy repair resin rhino
rhyme rib ribbon rice riddle ride ridge rigging rim rinse ripe ripple river roach road roast robe robin rock rocket
roof rook room rooster rope rose rosemary rough round router row rowing ruby rucksack rudder rug rugby ruler run
running runway rush sack saddle safari saffron sage sailing sailor salad salmon salt salty sand sandal sandpit sap
sardine satchel saucer sausage savanna scale scanner scarf scarlet sceptre scholar school schooner scooter scorpion
scree screen screw scrub scythe seahorse seal search season second seed seek seesaw senate server seven sextant shack
shallow shark sharp shawl sheaf shed sheep sheet shelf shell shepherd shield shin shiny ship shirt shoe shop shore
short shoulder shout shovel show shower shrew shrimp shrub shut shutter sickle sigh signal silk silly silo silver
simmer simple singer single sink sip sister six skating sketch skiing skin skip skirt skunk sky slate sledge sleep
sleeper sleet sleeve slice slide slipper slippery sloop sloth slow sluice smell smile smith smithy smoke smooth snack
snail snake sneeze sniff snipe snore snout snow soap sock socket soda sofa soft soldier solid song soot sorrel soup
sour south spaniel spanner spar spark sparkler sparrow speaker spear sphere spice spicy spider spin spinach spiral
spire splint sponge spoon spot spring spruce square squash squeeze squid squire stable stag stage stale stall stallion
stamp stanza staple star starfish station statue steady steam steep steeple stem steppe stern stew sticky stir stirrup
stitch stoat stocking stomach stone stool store stork storm stove strange strap stream street stretch string stripe
student studio suburb sudden sugar suitcase sulphur summer summit sundial supper surge swamp swan sweater swift swim
swing switch sword syllable syrup table tablet tadpole tailor tall tally talon tansy tape tar target tart taste tasty
tavern teacher teal teapot tell tempest temple ten tench tennis tent tentacle tepee terrace terrier thank theatre
thick thicket thimble thin third thirty thistle thorn thread three thresh throat throw thrush thumb thunder ticket
tidy tie tiger tile tin tinder tinsel tiny title toast today tomato tongs tongue tonic tooth top topaz tor torch
tornado tortoise tour towel tower town trace track trail train tram trawler tray tree trench triangle trip triple
trophy trough trousers trout trowel truck trumpet trunk tugboat tulip tuna tundra tune tunnel turbine turkey turn
turnip turret turtle tusk twelve twenty twig twin twine twist uncle unicorn unlock untie upper urchin urn usual valley
valve van vanilla vapour varnish vase velvet verse vest villa village vine vinegar vineyard violet violin viper visa
vise vitamin vivid voice volcano vole vote vowel voyage vulture waffle wagon wagtail waiter walk walking wall wallet
walnut walrus waltz wardrobe warm wash wasp watch water weasel weave weaver wedding weed weigh weir well west wet
wharf wheat wheel whelk whey whip whisker whisper white wide wigwam willow winch wind window wine wing wink winter
wire wise wolf wombat wool word workshop worm wrapping wreath wrench wrist yacht yarn yarrow yawn year yeast yellow
yogurt young yurt zebra zinc zipper
`
