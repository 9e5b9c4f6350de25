//! Lists in: once, twice, cut off, tried.

use outdial::logic::dialer::*;
use outdial::logic::ids::*;
use outdial::store::*;

use crate::harness::*;

on_both! {
    the_same_file_twice_adds_nothing
    a_chunk_whose_reply_was_lost_is_repeated
    an_import_that_was_cut_off_goes_on_where_it_stopped
    a_corrected_file_brings_persons_up_to_date
    a_person_is_the_external_id_or_else_the_number
    two_campaigns_of_a_seller_share_the_person
    nobody_who_refused_is_added
    a_dry_run_judges_alike_and_writes_nothing
    what_becomes_of_a_row_depends_neither_on_chunks_nor_on_being_read_again
}

fn row(n: u64) -> ImportRow {
    ImportRow {
        row_no: n,
        external_id: Some(format!("X{n}")),
        name: Some(format!("Name {n}")),
        language: None,
        phones: vec![phone(n)],
        rank: i64::try_from(n).unwrap(),
        custom: r#"[["b","2"],["a","1"]]"#.to_owned(),
        class: if n.is_multiple_of(2) { "JP even" } else { "JP odd" }.into(),
    }
}

fn phone(n: u64) -> ImportPhone {
    let number = number(i64::try_from(n).unwrap());
    ImportPhone {
        key: number.clone(),
        number: number.parse().unwrap(),
        kind: Some("mobile"),
        extension: None,
        zones: ["Asia/Tokyo".to_owned()].into(),
    }
}

async fn job(world: &mut World, hash: &str) -> ImportJob {
    let (seller, campaign) = (world.seller, world.campaign);
    let list = upsert_list(&mut world.db, &mut world.ids, campaign, "leads").await.unwrap();
    begin_import(&mut world.db, &mut world.ids, (seller, campaign, list), hash, T0).await.unwrap()
}

async fn import(world: &mut World, job: &ImportJob, rows: &[ImportRow]) -> Vec<RowResult> {
    import_rows(&mut world.db, &mut world.ids, job, rows).await.unwrap()
}

async fn the_same_file_twice_adds_nothing(world: &mut World) {
    let rows: Vec<_> = (1..=30).map(row).collect();
    let first = job(world, "h1").await;
    assert_eq!(import(world, &first, &rows).await, vec![RowResult::Added; 30]);
    finish_import(&mut world.db, &first, T0).await.unwrap();
    let again = job(world, "h1").await;
    assert!(again.finished && again.next_row == 31 && again.id == first.id);
    // The same rows in another file.
    let second = job(world, "h2").await;
    assert_eq!(import(world, &second, &rows).await, vec![RowResult::DuplicateInList; 30]);
    let counts =
        world.numbers("select (select count(*) from contact), (select count(*) from phone), (select count(*) from lead)").await;
    assert_eq!(counts, [30, 30, 30]);
    let campaign = world.campaign;
    let classes = calling_classes(&mut world.db, campaign).await.unwrap();
    assert_eq!(
        classes.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>(),
        ["JP odd", "JP even"]
    );
    let open_classes = classes.iter().map(|(id, _)| *id).collect();
    let promised = PromisedClaim::default();
    let claim = Claim { campaign, claim: 1, want: 2, open_classes, promised, named: None, now: T0 };
    let StoreReply::Claimed(leads) = world.one(StoreCommand::Claim(claim)).await else { panic!() };
    assert_eq!(leads[1].external_id.as_deref(), Some("X2"));
    let fields = [("b", "2"), ("a", "1")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(leads[0].fields, fields, "in the order of the file");
    assert_eq!(leads[0].phones[0].number.reveal(), number(1));
}

async fn a_chunk_whose_reply_was_lost_is_repeated(world: &mut World) {
    let job = job(world, "h").await;
    let mut rows: Vec<_> = (1..=5).map(row).collect();
    rows.push(ImportRow { row_no: 6, ..row(2) });
    // The first person once more, without the id.
    let name = Some("Somebody".to_owned());
    rows.push(ImportRow { row_no: 7, external_id: None, name, ..row(1) });
    let results = import(world, &job, &rows).await;
    let twice = RowResult::DuplicateInFile;
    assert_eq!(results[4..], [RowResult::Added, twice, twice]);
    let before = world.dump().await;
    assert_eq!(import(world, &job, &rows).await, results);
    assert_same(&before, &world.dump().await);
}

async fn an_import_that_was_cut_off_goes_on_where_it_stopped(world: &mut World) {
    let first = job(world, "h").await;
    import(world, &first, &(1..=5).map(row).collect::<Vec<_>>()).await;
    let again = job(world, "h").await;
    assert_eq!((again.id, again.next_row, again.finished), (first.id, 6, false));
    let results = import(world, &again, &(4..=8).map(row).collect::<Vec<_>>()).await;
    assert_eq!(results, vec![RowResult::Added; 5], "rows sent twice say the same");
    assert_eq!(world.numbers("select count(*) from lead").await, [8]);
}

async fn a_corrected_file_brings_persons_up_to_date(world: &mut World) {
    let first = job(world, "h1").await;
    import(world, &first, &[row(1), row(2)]).await;
    let second = job(world, "h2").await;
    let mut new_name = row(1);
    new_name.name = Some("Other".to_owned());
    new_name.phones.insert(0, phone(77));
    let again = ImportRow { row_no: 3, ..new_name.clone() };
    let results = import(world, &second, &[new_name.clone(), row(2), again]).await;
    let expected = [RowResult::Updated, RowResult::DuplicateInList, RowResult::DuplicateInFile];
    assert_eq!(results, expected);
    assert_eq!(import(world, &second, &[new_name]).await, [RowResult::Updated], "repeated");
    let phones = "select count(*), min(case when key = '+819000000077' then position end), \
         max(case when key = '+819000000001' then position end) from phone where contact_id = \
         (select id from contact where external_id = 'X1' and name = 'Other')";
    assert_eq!(world.numbers(phones).await, [2, 0, 1], "the new number first, none is taken away");
}

async fn a_person_is_the_external_id_or_else_the_number(world: &mut World) {
    let job = job(world, "h").await;
    let number_only = |n: u64, row_no| ImportRow { external_id: None, row_no, ..row(n) };
    let results =
        import(world, &job, &[number_only(1, 1), number_only(1, 2), number_only(2, 3)]).await;
    let expected = [RowResult::Added, RowResult::DuplicateInFile, RowResult::Added];
    assert_eq!(results, expected);
    // Two persons of one household, told apart by their ids.
    let mut spouse = row(5);
    spouse.phones = vec![phone(4)];
    let results = import(world, &job, &[ImportRow { row_no: 4, ..row(4) }, spouse]).await;
    assert_eq!(results, [RowResult::Added; 2]);
    assert_eq!(
        world.numbers("select count(*), count(distinct contact_id) from lead").await,
        [4, 4]
    );
}

async fn two_campaigns_of_a_seller_share_the_person(world: &mut World) {
    let first = job(world, "h").await;
    import(world, &first, &[row(1)]).await;
    let autumn =
        upsert_campaign(&mut world.db, &mut world.ids, "autumn", "Acme", T0, false).await.unwrap();
    world.campaign = autumn.id;
    let second = job(world, "h").await;
    assert_ne!(second.id, first.id);
    assert_eq!(import(world, &second, &[row(1)]).await, [RowResult::Added]);
    let counts = world.numbers("select count(*), (select count(*) from lead) from contact").await;
    assert_eq!(counts, [1, 2]);
    let bolt =
        upsert_campaign(&mut world.db, &mut world.ids, "other", "Bolt", T0, false).await.unwrap();
    (world.campaign, world.seller) = (bolt.id, bolt.seller);
    let third = job(world, "h").await;
    import(world, &third, &[row(1)]).await;
    assert_eq!(
        world.numbers("select count(*) from contact").await,
        [2],
        "a person of another seller"
    );
}

async fn nobody_who_refused_is_added(world: &mut World) {
    let mut by_number = world.refusal(ContactId(0), 1);
    by_number.contact = None;
    let first = job(world, "h").await;
    import(world, &first, &[row(2)]).await;
    let contact = world.numbers("select id from contact").await[0];
    let mut by_person = world.refusal(ContactId(contact), 2);
    by_person.phone_key = None;
    world.run(&[StoreCommand::Suppress(by_number), StoreCommand::Suppress(by_person)]).await;
    let autumn =
        upsert_campaign(&mut world.db, &mut world.ids, "autumn", "Acme", T0, false).await.unwrap();
    world.campaign = autumn.id;
    let second = job(world, "h").await;
    let mut other_number = row(2);
    other_number.phones = vec![phone(9)];
    let results = import(world, &second, &[row(1), other_number, row(3)]).await;
    assert_eq!(results, [RowResult::Suppressed, RowResult::Suppressed, RowResult::Added]);
    assert_eq!(world.numbers("select count(*) from lead").await, [2]);
}

async fn a_dry_run_judges_alike_and_writes_nothing(world: &mut World) {
    let first = job(world, "h").await;
    import(world, &first, &[row(1)]).await;
    let before = world.dump().await;
    let ids = (world.seller, world.campaign, first.list);
    let dry = begin_dry_run(&mut world.db, ids).await.unwrap();
    let mut changed = row(1);
    changed.name = None;
    assert_eq!(
        import(world, &dry, &[changed, row(2)]).await,
        [RowResult::Updated, RowResult::Added]
    );
    let later = ImportRow { row_no: 3, ..row(2) };
    assert_eq!(
        import(world, &dry, &[later, row(4)]).await,
        [RowResult::DuplicateInFile, RowResult::Added]
    );
    assert_same(&before, &world.dump().await);
    // A campaign that does not exist yet.
    let nothing = (SellerId(0), CampaignId(0), ListId(0));
    let dry = begin_dry_run(&mut world.db, nothing).await.unwrap();
    assert_eq!(import(world, &dry, &[row(1)]).await, [RowResult::Added]);
    assert_eq!(find_campaign(&mut world.db, "nowhere").await.unwrap(), None);
    let found = find_campaign(&mut world.db, "spring").await.unwrap().unwrap();
    assert_eq!((found.id, found.seller, found.paused), (world.campaign, world.seller, false));
}

/// A file in which persons come by id and by number, and what is to become of its rows. [`known_before`] is in the list.
fn tangled() -> (Vec<ImportRow>, Vec<RowResult>) {
    use RowResult::*;
    let id = |n: u64, phones: &[u64], name: &str| ImportRow {
        name: Some(name.to_owned()),
        phones: phones.iter().map(|n| phone(*n)).collect(),
        ..row(n)
    };
    let number = |phones, name| ImportRow { external_id: None, ..id(1, phones, name) };
    let told = [
        (id(1, &[1], "One"), Added),
        (number(&[1], "One by number"), DuplicateInFile),
        (number(&[2, 3], "Two"), Added),
        (number(&[3], "Two by the other number"), DuplicateInFile),
        // The first of the two who have the number is meant.
        (number(&[50], "Fifty by number"), Updated),
        (id(50, &[50], "Fifty"), DuplicateInFile),
        (id(51, &[50], "Name 51"), DuplicateInList),
        (id(52, &[52, 62], "Name 52"), Updated),
        (number(&[62], "Name 52"), DuplicateInFile),
        // Nothing new, and later in the file something that must stay.
        (id(54, &[54], "Name 54"), DuplicateInList),
        (id(54, &[54], "Later"), Updated),
        (number(&[55], "Name 55"), DuplicateInList),
        (id(55, &[55], "Later"), Updated),
    ];
    let rows = (1..).zip(told).map(|(row_no, (row, result))| (ImportRow { row_no, ..row }, result));
    rows.unzip()
}

fn known_before() -> Vec<ImportRow> {
    let mut known: Vec<_> = (50..=55).map(row).collect();
    known[1].phones = vec![phone(50)];
    known
}

async fn what_becomes_of_a_row_depends_neither_on_chunks_nor_on_being_read_again(
    world: &mut World,
) {
    let (rows, expected) = tangled();
    for size in [1, 2, 3, 5, rows.len()] {
        // People are the seller's: each has its own.
        let name = format!("by {size}");
        let made = upsert_campaign(&mut world.db, &mut world.ids, &name, &name, T0, false).await;
        let made = made.unwrap();
        (world.campaign, world.seller) = (made.id, made.seller);
        let earlier = job(world, "earlier").await;
        import(world, &earlier, &known_before()).await;
        let place = (world.seller, world.campaign, earlier.list);
        let dry = begin_dry_run(&mut world.db, place).await.unwrap();
        assert_eq!(in_chunks(world, &dry, &rows, size).await, expected, "a try by {size}");
        let file = job(world, "file").await;
        assert_eq!(in_chunks(world, &file, &rows, size).await, expected, "by {size}");
        let before = world.dump().await;
        let again = job(world, "file").await;
        for size in [2, rows.len()] {
            assert_eq!(in_chunks(world, &again, &rows, size).await, expected, "again, by {size}");
        }
        assert_same(&before, &world.dump().await);
    }
}

async fn in_chunks(
    world: &mut World,
    job: &ImportJob,
    rows: &[ImportRow],
    size: usize,
) -> Vec<RowResult> {
    let mut results = vec![];
    for chunk in rows.chunks(size) {
        results.extend(import(world, job, chunk).await);
    }
    results
}
