Toca Suiza, Liechtenstein, Austria, Alemania, Francia y los Países Bajos.
Cuatro capitales se encuentran junto al río: Viena, Bratislava, Budapest y Belgrado.
Después de Ruan llega al canal de la Mancha entre El Havre y Honfleur.
Desde los años ochenta del siglo XX, una barrera móvil protege la ciudad de las inundaciones.
El Gran Canal une el río con Pekín, en el norte.
Hoy la región es famosa por el esquí, el senderismo y la escalada.
Tiene nueve vecinos, entre ellos Francia, Suiza, Austria y Polonia.
Sus costas dan al océano Atlántico, al canal de la Mancha y al mar Mediterráneo.
La lengua española también se habla en la mayor parte de América Latina.
El Renacimiento comenzó en las ciudades italianas, sobre todo en Florencia.
Los impresores chinos usaban tipos móviles mucho antes de que Johannes Gutenberg construyera su imprenta.
Cada verano se celebra en Salzburgo un famoso festival de música y teatro.
Está rodeada por Alemania, Francia, Italia, Austria y Liechtenstein.
Un túnel ferroviario bajo el mar lo une con Francia desde 1994.
A finales del siglo XVIII, Prusia, Rusia y Austria se repartieron el país.
El 14 de julio de 1789 los habitantes de la ciudad tomaron la Bastilla.
El primer ferrocarril subterráneo del mundo se inauguró allí en 1863.
La ciudad es conocida también por sus cafés y su Concierto de Año Nuevo.
Wolfgang Amadeus Mozart nació el 27 de enero de 1756 en una casa de la Getreidegasse.
El Museo del Prado muestra cuadros de España, Italia y otros países.
En las montañas al norte de la ciudad se pueden visitar tramos bien conservados de la Gran Muralla China.
Durante unos años la catedral fue el edificio más alto del mundo, antes de la torre Eiffel de París.
Galileo Galilei está enterrado en la iglesia de la Santa Cruz, al igual que Miguel Ángel.
El corazón del compositor Chopin se conserva en una iglesia de la ciudad.
Un museo de la ciudad muestra libros antiguos y un modelo de su imprenta.
En 1891 se trasladó a París para estudiar física y matemáticas.
Más tarde viajó por Italia y aprendió el estilo de la ópera italiana.
Unos piratas lo capturaron en su viaje de regreso y lo retuvieron cinco años en Argel.
Romeo y Julieta, la historia de dos jóvenes amantes, transcurre en Italia.
Sus cuadernos contienen dibujos de máquinas voladoras, plantas y el cuerpo humano.
Nació en Pisa en 1564 y más tarde trabajó en Padua y en Florencia.
Se cuenta que una manzana que caía lo hizo pensar en la gravedad.
En 1933 emigró a los Estados Unidos y trabajó en Princeton hasta su muerte.
Hacia 1455 terminó una Biblia latina con cuarenta y dos líneas por página.
La flauta del título protege a los amantes cuando atraviesan el fuego y el agua.
Muchos la consideran la primera novela moderna de Europa.
Se representó en Londres en el teatro del Globo, cerca del Támesis.
Se llevó el cuadro a Francia, donde lo adquirió el rey.
Los reyes de Francia lo abandonaron cuando la corte se trasladó a Versalles.
Muchos artistas de la época protestaron contra la torre porque les parecía fea.
Es un error común creer que la muralla puede verse desde la Luna.
Su eje está inclinado, y por esta razón hay estaciones.
Siempre nos muestra la misma cara mientras gira alrededor de nuestro planeta.
Se compone sobre todo de hidrógeno, que en su núcleo se convierte lentamente en helio.
Una gran mancha roja en su superficie es una tormenta mayor que nuestro mundo.
El otro elemento que hallaron aquel año recibió su nombre de Polonia.
Un reloj en una torre marcha un poco más rápido que un reloj en el suelo.
Gracias a ella, los libros se abarataron y las nuevas ideas llegaron a muchos más lectores.
