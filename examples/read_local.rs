fn main() {
    let e = std::env::args().any(|a| a == "--explain");
    keng::cli::read::run(
        None,
        &[],
        e,
        std::io::stdin().lock(),
        std::io::stdout().lock(),
    )
    .unwrap();
}
