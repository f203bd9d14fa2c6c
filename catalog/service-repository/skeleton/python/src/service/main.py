import os


def main() -> None:
    print(f"__SERVICE__ would listen on port {os.environ.get('PORT', '8080')}")


if __name__ == "__main__":
    main()
