use mastic_dynamic_frame::{FrameError, JoinKey, Lookup, Missing, Multiple};

use crate::{frame, rows, run};

const FLIGHTS: &str =
    "SELECT * FROM (VALUES (1, 'UA'), (2, 'AA'), (3, 'ZZ'), (4, NULL)) AS f(flight, carrier)";
const AIRLINES: &str = "SELECT * FROM (VALUES ('UA', 'United', 10), ('AA', 'American', 2), ('AA', 'Alpha', 1), ('AA', 'American', 2), (NULL, 'none', 0))
    AS a(code, name, planes)";

fn by_code() -> Lookup {
    Lookup::by("airlines", [JoinKey::new("carrier", "code")])
}

// By hand.
#[tokio::test]
async fn records_stay_one_each() {
    let (flights, airlines) = (frame(FLIGHTS).await, frame(AIRLINES).await);
    let all = flights
        .clone()
        .lookup(airlines.clone(), &by_code())
        .unwrap();
    assert_eq!(
        rows(all).await,
        "flight|carrier|name|planes\n1|UA|United|10\n2|AA|Alpha|1\n3|ZZ||\n4|||"
    );
    let some = by_code()
        .field("name", Some("airline.name"))
        .field("planes", None)
        .prefix("airline_")
        .missing(Missing::Drop)
        .multiple(Multiple::All);
    let some = flights.lookup(airlines, &some).unwrap();
    assert_eq!(
        rows(some).await,
        "flight|carrier|airline|airline_planes\n1|UA|{name: United}|10\n\
         2|AA|{name: Alpha}|1\n2|AA|{name: American}|2\n2|AA|{name: American}|2"
    );
}

#[tokio::test]
async fn what_is_not_found_or_found_twice_is_set_aside() {
    let (flights, airlines) = (frame(FLIGHTS).await, frame(AIRLINES).await);
    let strict = by_code().missing(Missing::Error).multiple(Multiple::Error);
    let strict = flights.in_step("names").lookup(airlines, &strict).unwrap();
    let (good, errors, _) = run(strict).await;
    assert_eq!(good, "flight|carrier|name|planes\n1|UA|United|10");
    assert_eq!(
        errors,
        "step|reason|record\n\
         names|3 records of airlines have code = 'AA'|{\"flight\":2,\"carrier\":\"AA\"}\n\
         names|no record of airlines has code = 'ZZ'|{\"flight\":3,\"carrier\":\"ZZ\"}\n\
         names|no record of airlines has code = NULL|{\"flight\":4}"
    );
}

// The step that counts what is read stands for a reader: it counts each record once, although two frames look
// up in it, one of them for a column that the other does not ask for.
#[tokio::test]
async fn a_cached_frame_is_read_once() {
    let airlines = frame(AIRLINES).await.counted("airlines").cached().unwrap();
    let flights = frame(FLIGHTS).await;
    let names = by_code().field("name", None);
    let planes = by_code().field("planes", None);
    let one = flights.clone().lookup(airlines.clone(), &names).unwrap();
    let both = one.lookup(airlines.clone(), &planes).unwrap();
    let (good, _, ledger) = run(both.clone()).await;
    assert_eq!(
        good,
        "flight|carrier|name|planes\n1|UA|United|10\n2|AA|Alpha|1\n3|ZZ||\n4|||"
    );
    assert_eq!(ledger.counts()[0].rows, 5);
    // Another plan, another run: nothing is read any more.
    let again = flights.lookup(airlines, &planes).unwrap();
    let (good, _, ledger) = run(again).await;
    assert!(good.ends_with("4||"), "{good}");
    assert!(ledger.counts().iter().all(|count| count.rows == 0));
    let plan = both.into_dataframe().create_physical_plan().await.unwrap();
    let shown = datafusion::physical_plan::displayable(plan.as_ref())
        .indent(false)
        .to_string();
    assert!(
        shown.contains("CachedExec: read once, columns=[code, name]"),
        "{shown}"
    );
}

#[tokio::test]
async fn mistakes() {
    let (flights, airlines) = (frame(FLIGHTS).await, frame(AIRLINES).await);
    let look = |lookup: &Lookup| {
        flights
            .clone()
            .lookup(airlines.clone(), lookup)
            .unwrap_err()
    };
    let error = look(&Lookup::by("a", [JoinKey::new("carrier", "cod")]));
    assert_eq!(error.did_you_mean(), Some("code"));
    let error = look(&Lookup::by("a", [JoinKey::new("flight", "code")]));
    assert!(matches!(error, FrameError::TypeMismatch { .. }), "{error}");
    let error = look(&by_code().field("name", Some("flight")));
    assert!(matches!(error, FrameError::FieldExists { .. }), "{error}");
}
