//! `#[derive(Record)]`: reads a specification or an outputs struct from JSON, writes it back, and lists its fields with
//! their documentation and change policy.

use proc_macro::TokenStream;
use proc_macro2::TokenStream as Tokens;
use quote::{ToTokens, quote};
use syn::{
    Attribute, Data, DeriveInput, Error, Expr, ExprLit, Fields, GenericArgument, Lit, Meta, PathArguments, Type,
};

/// Derives `Record` for a struct over a phase: `struct SubnetSpec<P: Phase> { pub vpc: P::Of<VpcId>, .. }`.
///
/// Field attributes: `#[update]` (the default), `#[replace]`, `#[refuse]` say what a change means; `#[volatile]` marks an
/// output that an update in place may change, `#[named]` one that follows from the identity and is the same again when the
/// resource is made anew (a role's ARN); `#[aws("Name")]` names the property in the CloudFormation registry schema
/// where it is not the field's name in Pascal case, and `#[aws(none)]` says that the schema has none.
#[proc_macro_derive(Record, attributes(update, replace, refuse, volatile, named, aws))]
pub fn derive_record(input: TokenStream) -> TokenStream {
    expand(syn::parse_macro_input!(input as DeriveInput)).unwrap_or_else(Error::into_compile_error).into()
}

fn expand(input: DeriveInput) -> Result<Tokens, Error> {
    let name = &input.ident;
    let Data::Struct(data) = &input.data else { return Err(Error::new_spanned(name, "Record is for structs")) };
    let empty = syn::punctuated::Punctuated::new();
    let fields = match &data.fields {
        Fields::Named(named) => &named.named,
        Fields::Unit => &empty,
        Fields::Unnamed(_) => return Err(Error::new_spanned(name, "Record needs named fields")),
    };

    let (mut list, mut puts, mut takes) = (Vec::new(), Vec::new(), Vec::new());
    for field in fields {
        let ident = field.ident.as_ref().expect("named");
        let key = ident.to_string().trim_start_matches("r#").to_owned();
        let inner = inner_type(&field.ty)?;
        let type_name = inner.to_token_stream().to_string().replace(' ', "");
        let doc = doc_of(&field.attrs);
        if doc.is_empty() {
            return Err(Error::new_spanned(ident, "every field needs a doc comment: the reference is made from it"));
        }
        let change = change_of(&field.attrs)?;
        let volatile = field.attrs.iter().any(|a| a.path().is_ident("volatile"));
        let named = field.attrs.iter().any(|a| a.path().is_ident("named"));
        let aws = aws_of(&field.attrs, &key)?;
        list.push(quote! {
            ::bedplate_model::Field {
                name: #key, doc: #doc, type_name: #type_name, change: ::bedplate_model::Change::#change,
                volatile: #volatile, named: #named, aws: #aws,
            }
        });
        puts.push(quote! {
            if let Some(value) = <P as ::bedplate_model::Phase>::put::<#inner>(&self.#ident) {
                map.insert(#key.to_owned(), value);
            }
        });
        takes.push(quote! {
            #ident: <P as ::bedplate_model::Phase>::take::<#inner>(map.remove(#key))
                .map_err(|problem| ::bedplate_model::RecordError { field: #key, problem })?
        });
    }

    Ok(quote! {
        impl<P: ::bedplate_model::Phase> ::bedplate_model::Record for #name<P> {
            const FIELDS: &'static [::bedplate_model::Field] = &[#(#list),*];

            fn to_json(&self) -> ::bedplate_model::Json {
                #[allow(unused_mut)]
                let mut map = ::bedplate_model::JsonMap::new();
                #(#puts)*
                ::bedplate_model::Json::Object(map)
            }

            fn from_json(json: ::bedplate_model::Json) -> Result<Self, ::bedplate_model::RecordError> {
                #[allow(unused_mut, unused_variables)]
                let mut map = ::bedplate_model::object(json)?;
                Ok(Self { #(#takes),* })
            }
        }
    })
}

/// The `T` in `P::Of<T>`.
fn inner_type(ty: &Type) -> Result<&Type, Error> {
    if let Type::Path(path) = ty
        && let Some(last) = path.path.segments.last()
        && last.ident == "Of"
        && let PathArguments::AngleBracketed(arguments) = &last.arguments
        && let Some(GenericArgument::Type(inner)) = arguments.args.first()
    {
        return Ok(inner);
    }
    Err(Error::new_spanned(ty, "a field of a Record has the type P::Of<T>"))
}

fn doc_of(attrs: &[Attribute]) -> String {
    let lines = attrs.iter().filter(|a| a.path().is_ident("doc")).filter_map(|a| match &a.meta {
        Meta::NameValue(pair) => match &pair.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value().trim().to_owned()),
            _ => None,
        },
        _ => None,
    });
    lines.collect::<Vec<_>>().join(" ").trim().to_owned()
}

fn change_of(attrs: &[Attribute]) -> Result<Tokens, Error> {
    let mut found = None;
    for attr in attrs {
        let change = match () {
            () if attr.path().is_ident("update") => quote!(Update),
            () if attr.path().is_ident("replace") => quote!(Replace),
            () if attr.path().is_ident("refuse") => quote!(Refuse),
            () => continue,
        };
        if found.replace(change).is_some() {
            return Err(Error::new_spanned(attr, "a field has one change policy"));
        }
    }
    Ok(found.unwrap_or_else(|| quote!(Update)))
}

fn aws_of(attrs: &[Attribute], key: &str) -> Result<Tokens, Error> {
    let Some(attr) = attrs.iter().find(|a| a.path().is_ident("aws")) else {
        let pascal: String = key
            .split('_')
            .map(|word| {
                let (head, tail) = word.split_at(word.len().min(1));
                head.to_uppercase() + tail
            })
            .collect();
        return Ok(quote!(Some(#pascal)));
    };
    match attr.parse_args::<Expr>()? {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Ok(quote!(Some(#text))),
        Expr::Path(path) if path.path.is_ident("none") => Ok(quote!(None)),
        other => Err(Error::new_spanned(other, "write #[aws(\"PropertyName\")] or #[aws(none)]")),
    }
}
