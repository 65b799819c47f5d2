"""Questions as users ask them, and the sections of the documentation that answer each.

`QUESTIONS` are those of somebody who has read the README and knows what a journey, a milestone and
a realm are. `OF_STRANGERS` are those of somebody who has not, and calls things by other names.
"""

from typing import NamedTuple


class Question(NamedTuple):
    """A question and where its answer stands: pages, each with the heading of a section."""

    text: str
    answers: tuple[tuple[str, str], ...]


def _asked(text: str, *answers: str) -> Question:
    """An answer is written `page#heading`."""
    pages = (answer.split("#", maxsplit=1) for answer in answers)
    return Question(text, tuple((page, heading) for page, heading in pages))


QUESTIONS = (
    _asked("let two milestones of a journey run at the same time", "journeys.md#Order"),
    _asked("how do I pass a secret such as a token to a service call", "journeys.md#Data"),
    _asked("use a value from the input inside an expression", "journeys.md#Data"),
    _asked("only do a milestone if the result before was true", "journeys.md#Conditions"),
    _asked("repeat a milestone for each item of a list", "journeys.md#Many, again, first"),
    _asked("loop until a condition is met, but not forever", "journeys.md#Many, again, first"),
    _asked("a race between a signal and a timer", "journeys.md#Many, again, first"),
    _asked("ask a person for approval in a journey", "journeys.md#Time, signals, people"),
    _asked("several people have to agree on a question", "journeys.md#Time, signals, people"),
    _asked("begin another journey from within a journey", "journeys.md#Other journeys, agents"),
    _asked(
        "change how often and how fast a failed call is retried", "journeys.md#When something fails"
    ),
    _asked(
        "compensate what was done when a later milestone fails", "journeys.md#When something fails"
    ),
    _asked(
        "run a journey on a schedule in my time zone", "journeys.md#When runs begin, and how many"
    ),
    _asked(
        "limit how many runs with the same key move at once",
        "journeys.md#When runs begin, and how many",
    ),
    _asked("two versions of one journey template", "journeys.md#Versions"),
    _asked(
        "what does a handoff contract check",
        "journeys.md#Contracts",
        "DATA_MASH_FLOW_HANDOFF_CONTRACTS.md#The contracts",
    ),
    _asked("why is my run waiting", "journeys.md#The states of a run"),
    _asked("cancel or pause a run", "journeys.md#What people can do to a run"),
    _asked("replay failed runs from the dead letters", "journeys.md#Dead letters"),
    _asked("does the YAML reader accept anchors and aliases", "journeys.md#Faults"),
    _asked("is an accepted run safe when the power fails", "engine.md#The promises"),
    _asked("which command proves that runs survive kill -9", "engine.md#What proves them"),
    _asked(
        "what happens to a run whose process dies again and again",
        "engine.md#Poison",
        "engine.md#The promises",
        "DATA_MASH_FLOW_HANDOFF_CONTRACTS.md#When something goes wrong",
    ),
    _asked("how long is a finished run kept and where does it go then", "engine.md#Retention"),
    _asked("the engine refuses new runs with 429", "engine.md#Backpressure"),
    _asked("results that are too large for the journal", "engine.md#Large values"),
    _asked("what do the scheduler and the workers do", "engine.md#Workers"),
    _asked(
        "how many milestones per second compared to DBOS and LangGraph",
        "engine.md#What was measured",
    ),
    _asked("who notices that a timer is due", "engine.md#Timers and the sweep"),
    _asked("keep files in an S3 bucket", "operations.md#Files in an object store"),
    _asked(
        "set an access token so that other hosts can reach the city",
        "operations.md#Reaching it from elsewhere",
    ),
    _asked("where can I see traces and logs", "operations.md#Watching it"),
    _asked(
        "which settings choose PostgreSQL instead of SQLite", "operations.md#What a city stands on"
    ),
    _asked("mock a service in a journey test", "testing-journeys.md#Mocks"),
    _asked("test a journey with crashes at every point", "testing-journeys.md#Crashes"),
    _asked("which branches did my journey tests never take", "testing-journeys.md#Branches"),
    _asked("record a golden journal and replay it", "testing-journeys.md#Golden journals"),
    _asked("create a new realm from the template", "writing-a-realm.md#Begin"),
    _asked(
        "how does a service get its dependencies injected",
        "writing-a-realm.md#The work",
        "DI_CONTAINER_INITIALIZATION_ORDER.md#How a dependency is found",
    ),
    _asked(
        "where do tables and migrations of a realm go",
        "writing-a-realm.md#If it keeps data",
        "0004-each-room-migrates-its-own-tables.md#Decision",
    ),
    _asked(
        "make a realm an installable package",
        "writing-a-realm.md#If it is to be a package of its own",
        "ARCHITECTURE_CURATOR_FOUNDATION.md#Finding realms",
    ),
    _asked(
        "what formats of files can be read",
        "formats.md#Files: what is read, and what is said of what is not",
    ),
    _asked("how are decimal commas in a CSV recognised", "formats.md#Tables from text"),
    _asked("why was my scanned PDF refused", "formats.md#Why a file is not read"),
    _asked(
        "when does an insight count as significant",
        "insights.md#When something is told",
        "0013-large-and-beyond-chance.md#Decision",
    ),
    _asked("insights across several files, such as joins and drift", "insights.md#Several files"),
    _asked(
        "who checks an uploaded file and in which order",
        "SMART_CITY_CONTENT_VS_DATA_STEWARD.md#An upload, step by step",
    ),
    _asked(
        "can platform files get into the semantic layer",
        "SMART_CITY_CONTENT_VS_DATA_STEWARD.md#Two tracks that never mix",
        "SMART_CITY_CONTENT_VS_DATA_STEWARD.md#The rules",
    ),
    _asked(
        "what does the librarian do",
        "SMART_CITY_CONTENT_VS_DATA_STEWARD.md#A third one: the librarian",
    ),
    _asked(
        "order in which the stages of the city boot",
        "DI_CONTAINER_INITIALIZATION_ORDER.md#The stages",
    ),
    _asked(
        "what is verified before the city says it is ready",
        "DI_CONTAINER_INITIALIZATION_ORDER.md#Verification",
        "DI_CONTAINER_INITIALIZATION_ORDER.md#What a stage does",
    ),
    _asked(
        "what does effect keyed or guarded mean for an API",
        "ARCHITECTURE_CURATOR_FOUNDATION.md#The effect",
        "engine.md#The promises",
    ),
    _asked(
        "add a service while the city is running",
        "ARCHITECTURE_CURATOR_FOUNDATION.md#Adding a service to a running city",
    ),
    _asked("which HTTP status belongs to which kind of error", "PLATFORM_ARCHITECTURE.md#Errors"),
    _asked("what is inside the data folder", "PLATFORM_ARCHITECTURE.md#The data folder"),
    _asked(
        "move a city from SQLite to PostgreSQL and back",
        "0010-moving-between-stores.md#Decision",
        "0010-moving-between-stores.md#Context",
    ),
    _asked(
        "why are files read in forked child processes",
        "0012-children-forked-from-a-prepared-process.md#Context",
        "0012-children-forked-from-a-prepared-process.md#Decision",
        "PLATFORM_ARCHITECTURE.md#Reading files",
    ),
    _asked(
        "why does the engine compute CEL expressions itself",
        "0007-expressions.md#Context",
        "0007-expressions.md#Decision",
        "0007-expressions.md#Rejected",
    ),
    _asked(
        "does a command talk to the running server or open the data folder itself",
        "0005-a-command-asks-the-server-or-is-the-city.md#Decision",
        "0005-a-command-asks-the-server-or-is-the-city.md#Context",
        "PLATFORM_ARCHITECTURE.md#One city, two ways to it",
    ),
    _asked("how is row-level security by tenant done in PostgreSQL", "0009-postgresql.md#Decision"),
)

OF_STRANGERS = (
    _asked("how do I make two steps run in parallel", "journeys.md#Order"),
    _asked(
        "can I send an API key to a service without it showing up in the logs", "journeys.md#Data"
    ),
    _asked("skip a step depending on an earlier result", "journeys.md#Conditions"),
    _asked("process every element of a list, some at a time", "journeys.md#Many, again, first"),
    _asked("polling until something becomes true", "journeys.md#Many, again, first"),
    _asked("wait for a manager's approval before continuing", "journeys.md#Time, signals, people"),
    _asked("what if the person does not reply in time", "journeys.md#Time, signals, people"),
    _asked("call one workflow from another one", "journeys.md#Other journeys, agents"),
    _asked("how often is a failed call repeated", "journeys.md#When something fails"),
    _asked("undo earlier steps after an error", "journeys.md#When something fails"),
    _asked("start a workflow every weekday morning", "journeys.md#When runs begin, and how many"),
    _asked(
        "allow only one run per customer at the same time",
        "journeys.md#When runs begin, and how many",
    ),
    _asked("typo in my yaml template, where do I see what is wrong", "journeys.md#Faults"),
    _asked("how to get rid of failed runs in the inbox", "journeys.md#Dead letters"),
    _asked("which states can a run be in", "journeys.md#The states of a run"),
    _asked(
        "redo one step of a finished run with other parameters",
        "journeys.md#What people can do to a run",
    ),
    _asked("autocompletion for journey files in my editor", "journeys.md#A first journey"),
    _asked("is my work lost when the power goes out", "engine.md#The promises"),
    _asked("will a payment be made twice after a crash", "engine.md#The promises"),
    _asked(
        "a job that keeps killing its process",
        "engine.md#Poison",
        "engine.md#The promises",
        "DATA_MASH_FLOW_HANDOFF_CONTRACTS.md#When something goes wrong",
    ),
    _asked("how long are old runs kept", "engine.md#Retention"),
    _asked("too many requests, server says 429", "engine.md#Backpressure"),
    _asked("what happens with results of several megabytes", "engine.md#Large values"),
    _asked("run the work on several processes or machines", "engine.md#Workers"),
    _asked("how fast is it compared to DBOS", "engine.md#What was measured"),
    _asked(
        "why are disk writes of many runs put together",
        "engine.md#Group commit",
    ),
    _asked("store uploads in S3 or MinIO", "operations.md#Files in an object store"),
    _asked(
        "open the server to other computers with a token",
        "operations.md#Reaching it from elsewhere",
    ),
    _asked("send traces to jaeger", "operations.md#Watching it"),
    _asked(
        "how many open files and how much memory does it need",
        "operations.md#Limits of the machine",
    ),
    _asked(
        "unit test a journey without calling the real services",
        "testing-journeys.md#Mocks",
        "testing-journeys.md#Testing a journey without a server",
    ),
    _asked("simulate that the process dies in the middle of a test", "testing-journeys.md#Crashes"),
    _asked("did my tests cover every path of the template", "testing-journeys.md#Branches"),
    _asked(
        "make sure a code change does not break runs already in progress",
        "testing-journeys.md#Golden journals",
    ),
    _asked("use the test kit from pytest", "testing-journeys.md#With pytest"),
    _asked("generate the skeleton of a new module", "writing-a-realm.md#Begin"),
    _asked(
        "add my own database table",
        "writing-a-realm.md#If it keeps data",
        "0004-each-room-migrates-its-own-tables.md#Decision",
    ),
    _asked(
        "distribute my extension as a pip package",
        "writing-a-realm.md#If it is to be a package of its own",
    ),
    _asked("custom REST endpoint for my service", "writing-a-realm.md#A route of its own"),
    _asked(
        "which file types can be uploaded",
        "formats.md#Files: what is read, and what is said of what is not",
        "SMART_CITY_CONTENT_VS_DATA_STEWARD.md#The rules",
    ),
    _asked("german numbers with a comma in a csv", "formats.md#Tables from text"),
    _asked("my pdf is a scan, why is it rejected", "formats.md#Why a file is not read"),
    _asked("zip bomb protection", "formats.md#Why a file is not read"),
    _asked(
        "when is a correlation reported and when is it considered chance",
        "insights.md#When something is told",
        "0013-large-and-beyond-chance.md#Decision",
    ),
    _asked("compare two versions of the same table", "insights.md#Several files"),
    _asked("what share of planted errors does it find", "insights.md#How true they are"),
    _asked(
        "difference between content steward and data steward",
        "SMART_CITY_CONTENT_VS_DATA_STEWARD.md#Content steward and data steward",
    ),
    _asked(
        "what is checked when a file comes in",
        "SMART_CITY_CONTENT_VS_DATA_STEWARD.md#An upload, step by step",
    ),
    _asked("are private key files allowed", "SMART_CITY_CONTENT_VS_DATA_STEWARD.md#The rules"),
    _asked(
        "in which order do the parts of the platform start",
        "DI_CONTAINER_INITIALIZATION_ORDER.md#The stages",
    ),
    _asked(
        "two classes implement the same interface, what does startup say",
        "DI_CONTAINER_INITIALIZATION_ORDER.md#Verification",
        "DI_CONTAINER_INITIALIZATION_ORDER.md#How a dependency is found",
    ),
    _asked(
        "register a service while the server is running",
        "ARCHITECTURE_CURATOR_FOUNDATION.md#Adding a service to a running city",
    ),
    _asked("how do errors map to http status codes", "PLATFORM_ARCHITECTURE.md#Errors"),
    _asked("what lies in the data directory", "PLATFORM_ARCHITECTURE.md#The data folder"),
    _asked(
        "move from sqlite to postgres",
        "0010-moving-between-stores.md#Decision",
        "0010-moving-between-stores.md#Context",
    ),
    _asked("deadlocks and serialization errors in the database", "0009-postgresql.md#Decision"),
    _asked(
        "why is a separate process used to parse documents",
        "0012-children-forked-from-a-prepared-process.md#Context",
        "0012-children-forked-from-a-prepared-process.md#Decision",
        "PLATFORM_ARCHITECTURE.md#Reading files",
    ),
    _asked(
        "why not use an existing CEL library",
        "0007-expressions.md#Context",
        "0007-expressions.md#Rejected",
    ),
    _asked(
        "can I use the command line while the server is up",
        "0005-a-command-asks-the-server-or-is-the-city.md#Decision",
        "0005-a-command-asks-the-server-or-is-the-city.md#Consequences",
        "PLATFORM_ARCHITECTURE.md#One city, two ways to it",
    ),
    _asked(
        "does one trace id follow a file from upload to insight",
        "DATA_MASH_FLOW_HANDOFF_CONTRACTS.md#One trace id",
    ),
)
