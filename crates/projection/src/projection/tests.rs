use xdm::testing::{LONG, fields, list, map, object};
use xdm::{identity_map, segment_membership};

use super::*;

fn union() -> Fields {
    let name = object([("first", FieldType::String), ("last", FieldType::String)]);
    let code = object([("code", FieldType::String)]);
    let identity = object([("id", FieldType::String), ("namespace", code)]);
    fields([
        ("_id", FieldType::String),
        ("person", object([("name", name), ("age", LONG)])),
        ("identityMap", identity_map()),
        ("identities", list(identity)),
        ("scores", map(object([("home", LONG), ("away", LONG)]))),
        ("a", object([("b.c", LONG), ("b", LONG)])),
    ])
}

fn project(paths: &str, union: &Fields) -> Result<Projection, ProjectionError> {
    Projection::new(&FieldPath::parse_list(paths).expect("paths"), union)
}

/// The fields of the output down to the last, lists with `[]` and maps with `{}`.
fn output(paths: &str) -> Vec<String> {
    leaves(project(paths, &union()).expect("a projection").output())
}

fn leaves(fields: &Fields) -> Vec<String> {
    let mut leaves = Vec::new();
    for (name, ty) in fields.iter() {
        add_leaves(quote_part(name), ty, &mut leaves);
    }
    leaves
}

fn add_leaves(path: String, ty: &FieldType, leaves: &mut Vec<String>) {
    match ty {
        FieldType::List(item) => add_leaves(path + "[]", item, leaves),
        FieldType::Map(value) => add_leaves(path + "{}", value, leaves),
        FieldType::Object(fields) => {
            for (name, ty) in fields.iter() {
                add_leaves(format!("{path}.{}", quote_part(name)), ty, leaves);
            }
        }
        _ => leaves.push(path),
    }
}

fn problem(paths: &str, union: &Fields) -> String {
    project(paths, union).expect_err(paths).to_string()
}

#[test]
fn a_path_takes_all_below_it_in_the_order_of_the_union_schema() {
    let expected = ["_id", "person.name.first", "person.name.last", "person.age"];
    assert_eq!(output("person.age, person.name, _id"), expected);
    assert_eq!(output("person.name.last"), ["person.name.last"]);
    assert_eq!(output(""), leaves(&union()));
}

#[test]
fn paths_that_overlap_take_the_wider_one_in_any_order() {
    let whole = output("person");
    assert_eq!(output("person, person.age"), whole);
    assert_eq!(output("person.age, person"), whole);
    assert_eq!(output("person.age, person.age"), ["person.age"]);
    project("person, person.shoe", &union()).expect_err("it has to exist all the same");
}

#[test]
fn lists_are_walked_through_and_the_keys_of_maps_may_be_named() {
    assert_eq!(output("identities.id"), ["identities[].id"]);
    assert_eq!(
        output("identities.namespace"),
        ["identities[].namespace.code"]
    );
    assert_eq!(output("scores.final.away"), ["scores{}.away"]);
    assert_eq!(output("scores.final"), ["scores{}.home", "scores{}.away"]);
    assert_eq!(output("identityMap.Email.id"), ["identityMap{}[].id"]);
    let two_keys = ["identityMap{}[].id", "identityMap{}[].primary"];
    assert_eq!(
        output("identityMap.Email.id, identityMap.ECID.primary"),
        two_keys
    );
}

#[test]
fn a_part_with_dots_is_quoted() {
    assert_eq!(output(r#"a."b.c""#), [r#"a."b.c""#]);
    assert_eq!(output("a.b"), ["a.b"]);
}

#[test]
fn fields_that_are_united_are_read_whole() {
    let mut union = union();
    union.insert("segmentMembership", segment_membership());
    let paths = "identityMap.Email.id, identities.id, segmentMembership.ups.s.status, person.age";
    let projection = project(paths, &union).expect("a projection");
    for whole in ["identityMap", "identities", "segmentMembership"] {
        assert_eq!(projection.needed().get(whole), union.get(whole), "{whole}");
        assert_ne!(projection.output().get(whole), union.get(whole), "{whole}");
    }
    assert_eq!(
        projection.needed().get("person"),
        Some(&object([("age", LONG)]))
    );
    assert_eq!(projection.needed().get("_id"), None);
}

#[test]
fn objects_without_fields_are_left_out_and_refused_where_they_are_asked_for() {
    let empty = || object([]);
    let union = fields([
        ("a", object([("empty", list(map(empty()))), ("b", LONG)])),
        ("c", object([("empty", empty())])),
    ]);
    assert_eq!(
        leaves(project("", &union).expect("a projection").output()),
        ["a.b"]
    );
    assert_eq!(
        leaves(project("a", &union).expect("a projection").output()),
        ["a.b"]
    );
    for path in ["a.empty", "c"] {
        let problem = problem(path, &union);
        assert!(
            problem.starts_with(&format!("{path} is an object without fields")),
            "{problem}"
        );
    }
    let nothing = fields([("c", empty())]);
    assert_eq!(
        project("", &nothing).expect_err("nothing"),
        ProjectionError::NoFields
    );
}

#[test]
fn names_that_differ_only_in_case_are_refused_unless_one_is_left_out() {
    let inner = object([
        ("Größe", LONG),
        ("x", LONG),
        ("GRÖSSE", LONG),
        ("GRÖßE", LONG),
    ]);
    let union = fields([("list", list(map(inner))), ("other", LONG), ("X", LONG)]);
    let conflict = ProjectionError::CaseConflict {
        first: "list.Größe".to_owned(),
        second: "list.GRÖßE".to_owned(),
    };
    assert_eq!(project("", &union).expect_err("a conflict"), conflict);
    project("list.key.Größe, list.key.x, X", &union).expect("x and X are of two objects");
}

#[test]
fn a_path_that_is_not_there_is_named_with_its_nearest_neighbours() {
    let union = union();
    for (path, expected) in [
        (
            "person.nmae",
            r#"no field person.nmae in the union schema: person has no "nmae"; did you mean person.name?"#,
        ),
        (
            "identities.namespace.cod",
            r#"no field identities.namespace.cod in the union schema: identities.namespace has no "cod"; did you mean identities.namespace.code?"#,
        ),
        (
            "_id.x",
            r#"no field _id.x in the union schema: _id has no "x"; it is no object"#,
        ),
        (
            "a.zzz",
            r#"no field a.zzz in the union schema: a has no "zzz"; it has "b.c", b"#,
        ),
        (
            "timeSeriesEvents",
            r#"no field timeSeriesEvents in the union schema: it has no "timeSeriesEvents"; ask for events with additionalFields.eventList"#,
        ),
        (
            "Person",
            r#"no field Person in the union schema: it has no "Person"; did you mean person?"#,
        ),
    ] {
        assert_eq!(problem(path, &union), expected);
    }
}
