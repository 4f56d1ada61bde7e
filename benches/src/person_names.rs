//! The words that synthetic persons are made of: given names and their short forms, surnames, places and streets. The
//! common ones are listed in about the order of how common they are; the many rare ones are put together.

use crate::random::Random;

/// Given names of women, the most common first.
const WOMEN: &str = "mary patricia jennifer linda elizabeth barbara susan jessica sarah karen lisa nancy betty sandra \
    margaret ashley kimberly emily donna michelle carol amanda melissa deborah stephanie dorothy rebecca sharon laura \
    cynthia amy kathleen angela shirley brenda emma anna pamela nicole samantha katherine christine helen debra rachel \
    carolyn janet maria catherine heather diane olivia julie joyce victoria ruth virginia lauren kelly christina joan \
    evelyn judith andrea hannah megan cheryl jacqueline martha madison teresa gloria sara janice ann kathryn abigail \
    sophia frances jean alice judy isabella julia grace amber denise danielle marilyn beverly charlotte natalie theresa \
    diana brittany doris kayla alexis lori marie ingrid fatima aisha yuki mei priya ananya chloe freya imogen niamh \
    saoirse elodie camille agnieszka katarzyna svetlana olga leila yasmin noor zainab amara chiara giulia lucia ines";

/// Given names of men, the most common first.
const MEN: &str = "james robert john michael david william richard joseph thomas christopher charles daniel matthew \
    anthony mark donald steven andrew paul joshua kenneth kevin brian timothy ronald george jason edward jeffrey ryan \
    jacob gary nicholas eric jonathan stephen larry justin scott brandon benjamin samuel gregory alexander patrick frank \
    raymond jack dennis jerry tyler aaron jose adam nathan henry zachary douglas peter kyle noah ethan jeremy walter \
    christian keith roger terry austin sean gerald carl harold dylan arthur lawrence jordan jesse bryan billy bruce \
    gabriel joe logan alan juan albert willie elijah wayne randy vincent mason roy ralph bobby russell bradley philip \
    eugene mohammed ahmed ali omar yusuf hiroshi kenji wei arjun rahul sanjay dmitri sergei piotr marek luca matteo \
    marco giovanni lars bjorn anders sven finn callum hamish alistair rhys gareth declan cormac padraig";

/// Short forms, beside the names they are short for.
const SHORT: [(&str, &str); 28] = [
    ("patricia", "pat"),
    ("jennifer", "jen"),
    ("elizabeth", "liz"),
    ("susan", "sue"),
    ("jessica", "jess"),
    ("margaret", "peggy"),
    ("kimberly", "kim"),
    ("deborah", "debbie"),
    ("stephanie", "steph"),
    ("rebecca", "becky"),
    ("pamela", "pam"),
    ("katherine", "kate"),
    ("catherine", "cathy"),
    ("victoria", "vicky"),
    ("robert", "bob"),
    ("james", "jim"),
    ("michael", "mike"),
    ("william", "bill"),
    ("richard", "rick"),
    ("joseph", "joe"),
    ("thomas", "tom"),
    ("christopher", "chris"),
    ("charles", "chuck"),
    ("daniel", "dan"),
    ("matthew", "matt"),
    ("anthony", "tony"),
    ("edward", "ted"),
    ("benjamin", "ben"),
];

/// Surnames, the most common first.
const SURNAMES: &str = "smith johnson williams brown jones garcia miller davis rodriguez martinez hernandez lopez gonzalez \
    wilson anderson thomas taylor moore jackson martin lee perez thompson white harris sanchez clark ramirez lewis robinson \
    walker young allen king wright scott torres nguyen hill flores green adams nelson baker hall rivera campbell mitchell \
    carter roberts gomez phillips evans turner diaz parker cruz edwards collins reyes stewart morris morales murphy cook \
    rogers gutierrez ortiz morgan cooper peterson bailey reed kelly howard ramos kim cox ward richardson watson brooks \
    chavez wood james bennett gray mendoza ruiz hughes price alvarez castillo sanders patel myers long ross foster jimenez \
    khan singh chen wang li zhang kumar ali hussain ahmed muller schmidt schneider fischer weber novak kowalski ivanov \
    rossi russo ferrari bianchi dubois moreau laurent lefebvre hansen jensen nielsen larsen olsen berg lindgren osullivan";

/// Beginnings and endings that surnames, places and streets are put together from.
const STEMS: &str = "ash bar beck bell black blan bolt brad bran brid brom buck burn cal car chad chel clay cliff cole con \
    cor crom dal dar den der dor dun east ec ed el em far fen fer gar glen gold gran green hal ham har hart hat hay hazel \
    hem her hol hor hun ing ken kil kin lan lang lee lin lock long mal mar mel mid mil mor nor oak old or pen pick pil \
    port rad raven red rich ridge rob rock ros row rush sal san sel shel sher sil stan stock strat sud sut thorn tun ul \
    ux wad wal war wel wes whit wil win wood wy yar";
const ENDINGS: &str = "ford ton ley well worth field man son by ham wick stone brook bury combe cott croft dale den don er \
    ers gate grave hurst ing ington land low man more ner ridge shaw stead ster thorpe wald ward water way wood worthy";

/// What follows a street's name.
const WAYS: [&str; 10] = [
    "street", "road", "avenue", "lane", "close", "drive", "place", "way", "court", "crescent",
];

/// The short forms of [`WAYS`].
const WAYS_SHORT: [&str; 10] = [
    "st", "rd", "ave", "ln", "cl", "dr", "pl", "way", "ct", "cres",
];

/// Where mail is kept, the most common first.
const PROVIDERS: [&str; 8] = [
    "gmail.com",
    "outlook.com",
    "yahoo.com",
    "hotmail.com",
    "icloud.com",
    "example.org",
    "example.net",
    "example.com",
];

/// All words, drawn by how common they are.
pub(crate) struct Names {
    women: Drawn,
    men: Drawn,
    surnames: Drawn,
    cities: Drawn,
    streets: Drawn,
}

/// Words that are drawn the more often the earlier they stand: by Zipf's law, flattened for the first few.
struct Drawn {
    words: Vec<String>,
    /// The share of the draws that fall on a word or an earlier one.
    shares: Vec<f64>,
}

impl Drawn {
    fn new(words: Vec<String>, exponent: f64) -> Self {
        let mut sum = 0.0;
        let mut shares: Vec<f64> = (0..words.len())
            .map(|rank| {
                sum += (rank as f64 + 3.0).powf(-exponent);
                sum
            })
            .collect();
        shares.iter_mut().for_each(|share| *share /= sum);
        Self { words, shares }
    }

    fn at(&self, random: &mut Random) -> usize {
        let draw = random.unit();
        let at = self.shares.partition_point(|&share| share <= draw);
        at.min(self.words.len().saturating_sub(1))
    }

    fn draw(&self, random: &mut Random) -> &str {
        &self.words[self.at(random)]
    }
}

fn listed(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// `count` words of a stem or two and an ending, none twice, in an order that only `seed` decides.
fn composed(seed: u64, count: usize) -> Vec<String> {
    let (stems, endings) = (listed(STEMS), listed(ENDINGS));
    let mut random = Random(seed);
    let mut seen = std::collections::HashSet::new();
    let mut words = Vec::with_capacity(count);
    while words.len() < count {
        let mut word = stems[random.below(stems.len())].clone();
        if random.unit() < 0.4 {
            word += &stems[random.below(stems.len())];
        }
        word += &endings[random.below(endings.len())];
        if seen.insert(word.clone()) {
            words.push(word);
        }
    }
    words
}

impl Names {
    pub(crate) fn new() -> Self {
        let mut surnames = listed(SURNAMES);
        surnames.extend(composed(101, 30_000));
        Self {
            women: Drawn::new(listed(WOMEN), 0.9),
            men: Drawn::new(listed(MEN), 0.9),
            surnames: Drawn::new(surnames, 0.95),
            cities: Drawn::new(composed(102, 1_200), 0.8),
            streets: Drawn::new(composed(103, 8_000), 0.6),
        }
    }

    pub(crate) fn given(&self, random: &mut Random, woman: bool) -> String {
        let names = if woman { &self.women } else { &self.men };
        names.draw(random).to_owned()
    }

    pub(crate) fn surname(&self, random: &mut Random) -> String {
        self.surnames.draw(random).to_owned()
    }

    /// A city and one of its postcodes.
    pub(crate) fn place(&self, random: &mut Random) -> (String, String) {
        let at = self.cities.at(random);
        let code = 10_000 + at * 70 + random.below(40);
        (self.cities.words[at].clone(), code.to_string())
    }

    pub(crate) fn street(&self, random: &mut Random) -> String {
        let number = 1 + (random.unit() * random.unit() * 300.0) as usize;
        let name = self.streets.draw(random);
        format!("{number} {name} {}", WAYS[random.below(WAYS.len())])
    }

    /// What somebody may call themselves by.
    pub(crate) fn word(&self, random: &mut Random) -> &str {
        &self.streets.words[random.below(self.streets.words.len())]
    }

    pub(crate) fn provider(random: &mut Random) -> &'static str {
        let draw = random.unit() * random.unit();
        PROVIDERS[((draw * PROVIDERS.len() as f64) as usize).min(PROVIDERS.len() - 1)]
    }
}

/// The other form of a name that has a short one.
pub(crate) fn other_form(name: &str) -> Option<&'static str> {
    SHORT.iter().find_map(|&(long, short)| match name {
        _ if name == long => Some(short),
        _ if name == short => Some(long),
        _ => None,
    })
}

/// An address with its last word shortened.
pub(crate) fn shortened(street: &str) -> Option<String> {
    let (start, way) = street.rsplit_once(' ')?;
    let at = WAYS.iter().position(|&w| w == way)?;
    Some(format!("{start} {}", WAYS_SHORT[at]))
}
