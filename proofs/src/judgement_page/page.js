const property = document.getElementById('property');
const message = document.getElementById('message');
if (property && message) {
  const stories = [...document.querySelectorAll('details.story')];
  const filter = () => {
    let left = 0;
    for (const story of stories) {
      const fits = (!property.value || story.dataset.property === property.value)
        && (!message.value || story.dataset.message.includes(message.value));
      story.hidden = !fits;
      left += fits ? 1 : 0;
    }
    document.getElementById('left').textContent = left + ' shown';
  };
  property.addEventListener('change', filter);
  message.addEventListener('input', filter);
  filter();
}
