//! Schemas as the versions of Odoo describe them.

use serde_json::json;

use super::*;

#[test]
fn a_link_is_known_by_the_copies_that_are_written_through_it() {
    let copy = |related: &str, more: Value| {
        let mut field = json!({"type": "char", "related": related, "store": false, "sortable": true});
        field.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        field
    };
    for (copies, required, expected) in [
        (json!({"datas": copy("link_id.datas", json!({}))}), true, Bond::Part),
        (json!({"datas": copy("link_id.datas", json!({})), "a": copy("link_id.b", json!({}))}), true, Bond::Part),
        // The plain copies of Odoo 14 are not sorted by.
        (json!({"datas": copy("link_id.datas", json!({"sortable": false}))}), true, Bond::Written),
        (json!({"datas": copy("link_id.datas", json!({"store": true}))}), true, Bond::Written),
        (json!({"content": copy("link_id.datas", json!({}))}), true, Bond::Written),
        (json!({"datas": copy("link_id.datas", json!({}))}), false, Bond::Written),
        (json!({"datas": copy("link_id.partner_id.datas", json!({}))}), true, Bond::Written),
        (json!({"datas": copy("link_id.datas", json!({"readonly": true}))}), true, Bond::Loose),
        (json!({"datas": copy("other_id.datas", json!({}))}), true, Bond::Loose),
        (json!({"datas": {"type": "char", "store": true}}), true, Bond::Loose),
    ] {
        let mut described: HashMap<String, Value> = serde_json::from_value(copies.clone()).unwrap();
        let link = json!({"type": "many2one", "relation": "m", "required": required, "store": true});
        described.insert("link_id".to_owned(), link);
        assert_eq!(Schema::new("m", described).field("link_id").unwrap().bond, expected, "{copies}");
    }
}

#[test]
fn what_odoo_drops_is_told_from_what_is_readonly_in_forms_alone() {
    let column = json!({"type": "char", "store": true, "readonly": true, "depends": []});
    for (name, described, expected) in [
        ("state", column.clone(), Kept::Yes),
        ("id", column.clone(), Kept::No),
        ("create_date", column, Kept::No),
        ("name", json!({"type": "char", "store": false, "readonly": false, "depends": ["a"]}), Kept::Yes),
        ("count", json!({"type": "integer", "store": false, "readonly": true, "depends": []}), Kept::No),
        ("total", json!({"type": "float", "store": true, "readonly": true, "depends": ["a.b"]}), Kept::UntilComputed),
        ("total", json!({"type": "float", "store": true, "readonly": false, "depends": ["a.b"]}), Kept::Yes),
        // By its domain (account.move.invoice_line_ids in Odoo 14).
        (
            "lines",
            json!({"type": "one2many", "relation": "m", "store": true, "readonly": true, "depends": ["lines.a"]}),
            Kept::Yes,
        ),
        (
            "tags",
            json!({"type": "many2many", "relation": "m", "store": true, "readonly": true, "depends": ["tags.a"]}),
            Kept::Yes,
        ),
        (
            "tags",
            json!({"type": "many2many", "relation": "m", "store": true, "readonly": true, "depends": ["lines.a"]}),
            Kept::UntilComputed,
        ),
    ] {
        let schema = Schema::new("m", HashMap::from([(name.to_owned(), described.clone())]));
        assert_eq!(schema.field(name).unwrap().kept, expected, "{name} {described}");
    }
}

#[test]
fn a_copy_is_known_as_each_version_describes_it() {
    for (related, expected) in [
        (json!("partner_id.vat"), Some("partner_id.vat")),
        (json!(["partner_id", "vat"]), Some("partner_id.vat")),
        (json!([]), None),
        (json!(""), None),
        (json!(false), None),
        (json!(null), None),
    ] {
        let described = HashMap::from([("vat".to_owned(), json!({"type": "char", "related": related}))]);
        let schema = Schema::new("m", described);
        let field = schema.field("vat").unwrap();
        assert_eq!((field.related.as_deref(), field.is_column), (expected, expected.is_some()), "{related}");
    }
}
