//! The models of the recorded Odoo. A field's name is that of no other field, so that a word found is a field touched; only
//! what the gateway itself knows by name (files, companies) is called as in Odoo.

use std::{collections::BTreeMap, sync::LazyLock};

use serde_json::{Map, Value, json};

/// `name:kind`, behind `=` where it leads, behind `/` the field that leads back, behind `<` what it is a copy of, behind `@` where
/// properties are defined.
const MODELS: [(&str, &str); 16] = [
    (
        "zq.order",
        "o_name:char o_code:char o_vault:char o_team:integer o_date:date o_json:json o_ref:reference o_tag_ref:reference \
         o_partner_id:many2one=zq.partner o_secret_id:many2one=zq.secret o_user_id:many2one=res.users \
         o_tag_ids:many2many=zq.tag o_secret_ids:many2many=zq.secret o_line_ids:one2many=zq.line/l_order_id \
         o_copy:char<o_partner_id.p_code o_copy_of_copy:char<o_copy o_far_copy:char<o_partner_id.p_secret_id.s_code \
         o_named:char<o_partner_id.display_name o_props:properties@o_partner_id.p_defs",
    ),
    (
        "zq.partner",
        "p_name:char p_code:char p_vault:char p_team:integer p_parent_id:many2one=zq.partner p_secret_id:many2one=zq.secret \
         p_tag_ids:many2many=zq.tag p_order_ids:one2many=zq.order/o_partner_id attachment_ids:one2many=ir.attachment/res_id \
         company_id:many2one=res.company p_defs:properties_definition",
    ),
    (
        "zq.line",
        "l_name:char l_code:char l_vault:char l_team:integer l_order_id:many2one=zq.order l_partner_id:many2one=zq.partner \
         l_tag_ids:many2many=zq.tag l_sub_ids:one2many=zq.sub/b_line_id \
         l_holder_id:many2one=zq.partner<l_order_id.o_partner_id",
    ),
    (
        "zq.sub",
        "b_name:char b_code:char b_vault:char b_team:integer b_line_id:many2one=zq.line b_partner_id:many2one=zq.partner \
         b_tag_ids:many2many=zq.tag b_leaf_ids:one2many=zq.leaf/f_sub_id",
    ),
    (
        "zq.leaf",
        "f_name:char f_code:char f_vault:char f_team:integer f_sub_id:many2one=zq.sub f_partner_id:many2one=zq.partner \
         f_tag_ids:many2many=zq.tag",
    ),
    (
        "zq.tag",
        "t_name:char t_code:char t_vault:char t_team:integer t_parent_id:many2one=zq.tag t_secret_id:many2one=zq.secret \
         attachment_ids:many2many=ir.attachment",
    ),
    ("zq.secret", "s_name:char s_code:char s_vault:char s_team:integer s_order_id:many2one=zq.order"),
    ("ir.attachment", "name:char datas:binary res_model:char res_id:many2one_reference a_note:char"),
    ("zq.activity", "v_name:char v_code:char res_model_id:many2one=ir.model res_id:many2one_reference"),
    ("ir.model", "h_name:char h_code:char"),
    ("ir.cron", "r_name:char r_code:char"),
    (
        "res.users",
        "u_name:char u_code:char u_partner_id:many2one=zq.partner u_group_ids:many2many=res.groups u_order_ids:one2many=zq.order/o_user_id",
    ),
    ("res.groups", "g_name:char g_code:char"),
    ("res.config.settings", "k_name:char k_code:char"),
    ("res.company", "c_name:char c_code:char"),
    ("base.import", "y_name:char y_code:char"),
];

/// The name of the record that an order's property leads to.
pub(super) const SECRET: &str = "zq-secret-name";

/// The names of an order's properties, as Odoo generates them, and labels: the first leads to a record, the second to several.
pub(super) const LINK: &str = "a000000000000001";
pub(super) const LINKS: &str = "a000000000000002";
pub(super) const NOTE: &str = "a000000000000003";
pub(super) const LINK_LABEL: &str = "Secret";
pub(super) const NOTE_LABEL: &str = "Note";

/// Models by which a user gets more rights: a pattern must name them.
pub(super) const POWER: [&str; 5] = ["ir.*", "res.users*", "res.groups*", "res.config*", "base*"];

#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) kind: &'static str,
    pub(super) relation: Option<&'static str>,
    pub(super) inverse: Option<&'static str>,
    pub(super) related: Option<&'static str>,
    /// Of properties: the link and the field behind it where they are defined.
    pub(super) defined: Option<(&'static str, &'static str)>,
}

impl Field {
    /// Odoo has properties from 16 on.
    fn is_in(&self, version: u16) -> bool {
        version >= 16 || !self.kind.starts_with("properties")
    }
}

fn field(text: &'static str) -> Field {
    let (name, kind) = text.split_once(':').unwrap();
    let (kind, defined) = kind.split_once('@').map_or((kind, None), |(kind, path)| (kind, path.split_once('.')));
    let (kind, related) = kind.split_once('<').map_or((kind, None), |(kind, path)| (kind, Some(path)));
    let (kind, relation) = kind.split_once('=').map_or((kind, None), |(kind, model)| (kind, Some(model)));
    let (relation, inverse) = match relation.and_then(|model| model.split_once('/')) {
        Some((model, inverse)) => (Some(model), Some(inverse)),
        None => (relation, None),
    };
    Field { name, kind, relation, inverse, related, defined }
}

/// The fields of each model.
pub(super) fn models() -> &'static BTreeMap<&'static str, Vec<Field>> {
    static WORLD: LazyLock<BTreeMap<&str, Vec<Field>>> = LazyLock::new(|| {
        MODELS.iter().map(|(model, fields)| (*model, fields.split_whitespace().map(field).collect())).collect()
    });
    &WORLD
}

pub(super) fn fields(model: &str) -> &'static [Field] {
    models().get(model).map_or(&[], Vec::as_slice)
}

/// Those that no other model has.
pub(super) fn own_fields(model: &str) -> impl Iterator<Item = &'static str> {
    fields(model).iter().map(|field| field.name).filter(|name| name.as_bytes()[1] == b'_')
}

pub(super) fn relation(model: &str, name: &str) -> Option<&'static str> {
    fields(model).iter().find(|field| field.name == name)?.relation
}

/// Where a link leads by which fields are written into its record: those of this model, or of the one that it is a copy from.
pub(super) fn written_through(link: &str) -> Option<&'static str> {
    let all = || models().values().flatten();
    let field = all().find(|field| field.name == link)?;
    let copied = field.related.and_then(|path| path.rsplit('.').next());
    let is_way = |path: &str| path.split('.').next() == Some(link) && path.contains('.');
    let is_written = all().any(|other| other.related.is_some_and(is_way));
    let is_written = is_written || copied.is_some_and(|copied| written_through(copied).is_some());
    field.relation.filter(|_| field.kind == "many2one" && is_written)
}

/// As `fields_get` answers: before Odoo 15 a copy's path is a list of names.
pub(super) fn described(model: &str, version: u16) -> Value {
    let describe = |field: &Field| {
        let mut described = json!({"type": field.kind, "store": field.related.is_none(), "searchable": true});
        let (link, defined) = field.defined.unzip();
        let known = [
            ("relation", field.relation),
            ("relation_field", field.inverse),
            ("related", field.related),
            ("definition_record", link),
            ("definition_record_field", defined),
        ];
        for (key, value) in known.into_iter().filter(|(_, value)| value.is_some()) {
            described[key] = json!(value);
        }
        if let Some(path) = field.related.filter(|_| version < 15) {
            described["related"] = path.split('.').collect();
        }
        (field.name.to_owned(), described)
    };
    let name = ("display_name".to_owned(), json!({"type": "char", "store": false, "searchable": true}));
    Value::Object(fields(model).iter().filter(|field| field.is_in(version)).map(describe).chain([name]).collect())
}

/// As `read` answers; all fields where none are named.
pub(super) fn row(model: &str, id: i64, names: &[String], version: u16) -> Value {
    let mut row = Map::from_iter([("id".to_owned(), json!(id))]);
    let is_wanted = |field: &&Field| names.is_empty() || names.iter().any(|name| *name == field.name);
    for field in fields(model).iter().filter(|field| field.is_in(version)).filter(is_wanted) {
        let value = match field.kind {
            "many2one" => json!([31, "one"]),
            "one2many" => json!([101]),
            "many2many" => json!([21]),
            _ => plain(field),
        };
        row.insert(field.name.to_owned(), value);
    }
    Value::Object(row)
}

/// As a specification has it (Odoo 17 and later).
pub(super) fn specified(model: &str, id: i64, specification: &Value) -> Value {
    let mut row = Map::from_iter([("id".to_owned(), json!(id))]);
    for (name, within) in specification.as_object().into_iter().flatten() {
        let Some(field) = fields(model).iter().find(|field| field.name == name) else { continue };
        let record = |id| specified(field.relation.unwrap_or_default(), id, &within["fields"]);
        let value = match (field.kind, within.get("fields")) {
            ("many2one", None) => json!(31),
            ("one2many", None) => json!([101]),
            ("many2many", None) => json!([21]),
            ("many2one", Some(_)) => record(31),
            ("one2many", Some(_)) => json!([record(101)]),
            ("many2many", Some(_)) => json!([record(21)]),
            _ => plain(field),
        };
        row.insert(name.clone(), value);
    }
    Value::Object(row)
}

/// The form of a new record, as far as it is asked for: properties without values.
pub(super) fn form(model: &str, specification: &Value) -> Value {
    let is_wanted = |field: &&Field| specification.get(field.name).is_some();
    let value = |field: &Field| match field.kind {
        "properties" => definitions().into_iter().collect(),
        kind if kind.ends_with("2many") => json!([]),
        _ => json!(false),
    };
    fields(model).iter().filter(is_wanted).map(|field| (field.name.to_owned(), value(field))).collect()
}

/// Those of an order's properties.
fn definitions() -> [Value; 3] {
    [
        json!({"name": LINK, "string": LINK_LABEL, "type": "many2one", "comodel": "zq.secret"}),
        json!({"name": LINKS, "string": "Leaves", "type": "many2many", "comodel": "zq.leaf"}),
        json!({"name": NOTE, "string": NOTE_LABEL, "type": "char"}),
    ]
}

fn plain(field: &Field) -> Value {
    match (field.kind, field.name) {
        ("integer" | "many2one_reference", _) => json!(3),
        ("date", _) => json!("2026-01-31"),
        ("json", _) => json!({"a": 1}),
        ("properties", _) => {
            let values = [json!([41, SECRET]), json!([]), json!("x")];
            let with_value = |(mut property, value): (Value, Value)| {
                property["value"] = value;
                property
            };
            definitions().into_iter().zip(values).map(with_value).collect()
        }
        ("properties_definition", _) => {
            let mut all = definitions();
            all[0]["default"] = json!([41, SECRET]);
            all.into_iter().collect()
        }
        ("binary", _) => json!("QQ=="),
        ("reference", "o_tag_ref") => json!("zq.tag,21"),
        ("reference", _) => json!("zq.secret,41"),
        _ => json!("a"),
    }
}
