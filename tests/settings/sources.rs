use std::path::PathBuf;
use std::time::Duration;

use replyd::config::{Flags, LogFormat, Need, Settings};

use crate::{ACCOUNT, World, assert_has};

#[test]
fn later_sources_win_file_then_env_file_then_environment_then_flags() {
    let mut world = World::with_toml(&format!("{ACCOUNT}\n[listen]\ninterval = 11\n"));
    let interval = |world: &World| {
        let loaded = world.loaded();
        let shown = loaded
            .effective
            .iter()
            .find(|e| e.key == "listen.interval")
            .unwrap();
        (
            loaded.settings.listen.interval.as_secs(),
            shown.origin.to_string(),
        )
    };
    assert_eq!(interval(&world), (11, "replyd.toml:10".to_owned()));
    world.file("cwd/.env", "\nREPLYD_INTERVAL=12\n");
    assert_eq!(interval(&world), (12, ".env:2 REPLYD_INTERVAL".to_owned()));
    world = world.var("REPLYD_INTERVAL", "13");
    assert_eq!(
        interval(&world),
        (13, "environment variable REPLYD_INTERVAL".to_owned())
    );
    world.flags.interval = Some("14".to_owned());
    assert_eq!(interval(&world), (14, "--interval".to_owned()));
}

#[test]
fn the_first_replyd_toml_that_is_there_is_taken() {
    let toml = |days: u32| format!("{ACCOUNT}\n[listen]\ndays = {days}\n");
    let mut world = World::empty();
    world.file("etc/replyd.toml", &toml(1));
    assert_eq!(world.settings().listen.days, 1);
    world.file("cwd/replyd.toml", &toml(2));
    assert_eq!(world.settings().listen.days, 2);
    let named = world.file("named/by-env.toml", &toml(3));
    world = world.var("REPLYD_CONFIG", named.to_str().unwrap());
    assert_eq!(world.settings().listen.days, 3);
    world.flags.config = Some(world.file("named/by-flag.toml", &toml(4)));
    assert_eq!(world.settings().listen.days, 4);
}

#[test]
fn a_file_that_is_named_must_be_there() {
    let mut world = World::with_toml(ACCOUNT).var("REPLYD_CONFIG", "none.toml");
    assert_has(
        &world.error(),
        &["REPLYD_CONFIG", "none.toml", "Name a file that is there"],
    );
    world.vars.clear();
    world.flags.config = Some(PathBuf::from("none.toml"));
    assert_has(&world.error(), &["--config", "none.toml"]);
    world.flags = Flags {
        env_file: Some(PathBuf::from("none.env")),
        ..Flags::default()
    };
    assert_has(&world.error(), &["--env-file", "none.env"]);
}

#[test]
fn the_env_file_lies_beside_replyd_toml_or_else_in_the_current_folder() {
    let mut world = World::empty();
    world.file(
        "cwd/.env",
        "REPLYD_DAYS=2\nIMAP_USER=a@example.com\nIMAP_PASSWORD=x\n",
    );
    assert_eq!(world.settings().listen.days, 2);
    world.file("etc/replyd.toml", ACCOUNT);
    world.file("etc/.env", "REPLYD_DAYS=3\n");
    assert_eq!(world.settings().listen.days, 3);
    world.flags.env_file = Some(world.file("other.env", "REPLYD_DAYS=4\n"));
    assert_eq!(world.settings().listen.days, 4);
}

#[test]
fn relative_paths_start_from_the_file_that_names_them() {
    let mut world = World::empty();
    world.file(
        "etc/replyd.toml",
        &format!("{ACCOUNT}\n[store]\ndatabase = \"a.db\"\n"),
    );
    assert_eq!(world.settings().database, world.path("etc/a.db"));
    assert_eq!(world.settings().state_dir, world.path("etc"));
    world = world.var("REPLYD_DATABASE", "b.db");
    assert_eq!(world.settings().database, world.path("cwd/b.db"));
    world = world.var("REPLYD_DATABASE", "~/c.db");
    assert_eq!(world.settings().database, world.path("home/c.db"));
}

#[test]
fn the_database_is_found_by_flag_state_directory_xdg_or_home() {
    let mut world = World::with_toml(ACCOUNT);
    let home = world.path("home/.local/state/replyd/replyd.db");
    assert_eq!(world.settings().database, home);
    world = world.var("XDG_STATE_HOME", "relative");
    assert_eq!(
        world.settings().database,
        home,
        "a relative XDG folder is ignored"
    );
    world = world.var("XDG_STATE_HOME", "/xdg");
    assert_eq!(
        world.settings().database,
        PathBuf::from("/xdg/replyd/replyd.db")
    );
    world = world.var("STATE_DIRECTORY", "/var/lib/replyd:/var/lib/other");
    assert_eq!(
        world.settings().database,
        PathBuf::from("/var/lib/replyd/replyd.db")
    );
    world.flags.database = Some(PathBuf::from("/flag/x.db"));
    let settings = world.settings();
    assert_eq!(settings.database, PathBuf::from("/flag/x.db"));
    assert_eq!(settings.state_dir, PathBuf::from("/flag"));
}

#[test]
fn root_and_the_services_user_work_on_the_database_of_the_installed_service() {
    use std::os::unix::fs::MetadataExt;
    let world = World::with_toml(ACCOUNT).var("XDG_STATE_HOME", "/xdg");
    let database = |world: &World, euid| {
        let mut sources = world.sources();
        sources.env.euid = euid;
        Settings::load(&sources, Need::Store)
            .unwrap()
            .settings
            .database
    };
    let own = PathBuf::from("/xdg/replyd/replyd.db");
    assert_eq!(database(&world, 0), own, "no service is installed");
    std::fs::create_dir(world.path("service")).unwrap();
    let owner = std::fs::metadata(world.path("service")).unwrap().uid();
    let service = world.path("service/replyd.db");
    assert_eq!(database(&world, 0), service);
    // Root's command starts anew as the owner, with the same environment.
    assert_eq!(database(&world, owner), service);
    assert_eq!(database(&world, owner + 1), own, "another user has his own");
    // What is named wins.
    let systemd = World::with_toml(ACCOUNT).var("STATE_DIRECTORY", "/state");
    std::fs::create_dir(systemd.path("service")).unwrap();
    assert_eq!(database(&systemd, 0), PathBuf::from("/state/replyd.db"));
    let named = World::with_toml(ACCOUNT).var("REPLYD_DATABASE", "/named.db");
    std::fs::create_dir(named.path("service")).unwrap();
    assert_eq!(database(&named, 0), PathBuf::from("/named.db"));
}

#[test]
fn without_any_place_for_the_database_the_error_says_how_to_name_one() {
    let world = World::with_toml(ACCOUNT);
    let mut sources = world.sources();
    sources.env.home = None;
    let error = Settings::load(&sources, Need::Store)
        .unwrap_err()
        .to_string();
    assert_has(&error, &["store.database", "--database", "REPLYD_DATABASE"]);
}

#[test]
fn commands_on_the_database_alone_ask_for_no_account_and_read_no_secret() {
    let toml = ACCOUNT.replace("password = \"hunter2\"", "password_file = \"none\"");
    for world in [World::empty(), World::with_toml(&toml)] {
        let loaded = Settings::load(&world.sources(), Need::Store).unwrap();
        assert!(loaded.settings.accounts.is_empty());
        assert!(world.load().is_err(), "mail needs more");
    }
}

#[test]
fn commands_on_the_database_alone_know_the_names_of_the_accounts() {
    let names = |world: &World, need| {
        Settings::load(&world.sources(), need)
            .unwrap()
            .settings
            .account_names
    };
    let toml = format!(
        "{ACCOUNT}[[accounts]]\naddress = \"eu@example.com\"\npassword = \"x\"\n\
         imap.host = \"i.example.com\"\nsmtp.host = \"s.example.com\"\n"
    );
    let two = World::with_toml(&toml);
    for need in [Need::Store, Need::Mail] {
        assert_eq!(names(&two, need), ["sales", "eu@example.com"], "{need:?}");
    }
    let old = World::with_env_file("IMAP_USER=old@example.com\n");
    assert_eq!(names(&old, Need::Store), ["old@example.com"]);
    assert_eq!(names(&World::empty(), Need::Store), [""; 0]);
}

#[test]
fn unknown_keys_are_errors_for_commands_on_the_database_too() {
    let world = World::with_toml("[lissten]\ninterval = 3\n");
    let error = Settings::load(&world.sources(), Need::Store)
        .unwrap_err()
        .to_string();
    assert_has(&error, &["replyd.toml:1", "lissten", "listen?"]);
}

#[test]
fn an_empty_variable_counts_as_not_set_and_others_variables_are_not_ours() {
    let world = World::with_toml(ACCOUNT)
        .var("REPLYD_INTERVAL", "")
        .var("DJANGO_SETTINGS_MODULE", "x")
        .var("EMAIL_TIMEOUT", "nonsense");
    assert_eq!(world.settings().listen.interval, Duration::from_secs(60));
}

#[test]
fn the_fault_point_is_known_to_debug_builds_only() {
    let world = World::with_toml(ACCOUNT).var("REPLYD_CRASH_AT", "stored");
    assert_eq!(world.load().is_ok(), cfg!(debug_assertions));
    let in_file = World::with_toml(ACCOUNT);
    in_file.file("cwd/.env", "REPLYD_CRASH_AT=stored\n");
    assert!(in_file.load().is_err(), "never from a file");
}

#[test]
fn defaults_are_the_documented_ones() {
    let settings = World::with_toml(ACCOUNT).settings();
    assert_eq!(settings.listen.interval, Duration::from_secs(60));
    assert_eq!(settings.listen.days, 1);
    assert_eq!(settings.listen.silence, Duration::from_secs(300));
    assert_eq!(settings.listen.byte_budget, 64 << 20);
    assert_eq!(settings.reply.mode.as_str(), "auto");
    assert_eq!(settings.reply.goal_threshold, 0.7);
    assert_eq!(settings.reply.answer_max_age, Duration::from_secs(86_400));
    assert!(!settings.reply.optout_confirmation);
    assert_eq!(settings.reply.sales_notices_per_hour, 60);
    assert_eq!(settings.reply.automatic_per_day, 200);
    assert_eq!(settings.reply.sales_email, "sales@example.com");
    assert_eq!(
        settings.store.raw_retention,
        Duration::from_secs(30 * 86_400)
    );
    assert_eq!(settings.log.format, LogFormat::Text);
    assert_eq!(settings.log.filter, "info");
    assert_eq!(settings.redirect_to, None);
}

#[test]
fn no_idle_outlives_the_interval_nor_nine_minutes() {
    for (interval, idle_max) in [("5", 5), ("60", 60), ("540", 540), ("1h", 540)] {
        let world = World::with_toml(ACCOUNT).var("REPLYD_INTERVAL", interval);
        let listen = world.settings().listen;
        assert_eq!(listen.idle_max, Duration::from_secs(idle_max), "{interval}");
    }
}

#[test]
fn mail_is_redirected_by_flag_only_and_with_a_warning() {
    let mut world = World::with_toml(ACCOUNT);
    world.flags.redirect_to = Some("me@example.com".to_owned());
    let loaded = world.loaded();
    assert_eq!(
        loaded.settings.redirect_to.as_deref(),
        Some("me@example.com")
    );
    assert!(
        loaded
            .notes
            .iter()
            .any(|n| n.warning && n.text.contains("me@example.com"))
    );
    world.flags.redirect_to = Some("nobody".to_owned());
    assert_has(
        &world.error(),
        &["--redirect-to", "\"nobody\" is no mail address"],
    );
    let by_name = World::with_toml(ACCOUNT).var("REPLYD_REDIRECT_TO", "me@example.com");
    assert_has(&by_name.error(), &["REPLYD_REDIRECT_TO", "unknown name"]);
}
