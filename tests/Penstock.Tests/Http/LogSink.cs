using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Penstock.Tests.Http;

/// <summary>Everything that was logged, as text.</summary>
internal sealed class LogSink : ILoggerProvider
{
    private readonly ConcurrentQueue<LogLine> _lines = [];

    public IReadOnlyList<LogLine> Lines => [.. _lines];

    /// <summary>Lines of the product itself, not of the server it runs on.</summary>
    public IReadOnlyList<LogLine> Own => [.. _lines.Where(line => line.Category.StartsWith("Penstock", StringComparison.Ordinal))];

    public ILogger CreateLogger(string categoryName) => new Logger(categoryName, _lines);

    public ILogger<T> For<T>() => new Logger<T>(new LoggerFactory([this]));

    public void Dispose()
    {
    }

    private sealed class Logger(string category, ConcurrentQueue<LogLine> lines) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            lines.Enqueue(new LogLine(logLevel, category, formatter(state, exception), exception));
    }
}

internal sealed record LogLine(LogLevel Level, string Category, string Text, Exception? Exception)
{
    public override string ToString() => $"{Level} {Category}: {Text} {Exception}";
}
